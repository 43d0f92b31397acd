"""The sandbox: a local server that speaks the services' contracts on the loopback interface.

It needs no key and no network, renders real media files, and can be told to misbehave.

    faults    what it can be told to do wrong, by name
    media     the files it makes
    forms     the files that it is sent
    store     its jobs, in a file that other processes can read
    server    the server
    dialects  which answer a path gets: by the examples of a descriptor, and what one service alone has
"""

from .faults import FAULTS
from .server import Sandbox

__all__ = ["FAULTS", "Sandbox"]
