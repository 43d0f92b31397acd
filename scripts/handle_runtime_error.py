#!/usr/bin/env python3
# /// script
# requires-python = ">=3.9"
# dependencies = [
#   "requests>=2.32,<3",
#   "urllib3>=2.6,<3",
#   "jsonschema>=4.18,<5",
#   "python-dotenv>=1.0,<2",
#   "PyYAML>=6.0,<7",
#   "Pillow>=10.1,<13",
# ]
# ///
"""Say what a service's HTTP error means and what to do about it.

Run it with --help for flags and examples; what it does stands in commands/handle_runtime_error.py.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into this folder; start decides where bytecode goes
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))  # not there with -I, -P and PYTHONSAFEPATH

from commands import start  # noqa: E402

if __name__ == "__main__":
    start.run("handle_runtime_error")
