"""What a command says, and how it ends.

stdout carries line-delimited JSON and nothing else; its last line is the result, on every
path. stderr carries what people read. A script hands its `main` to `run` and never writes
to either stream itself.

several       several jobs in one command, and the summary that ends it
script        runs one script and keeps the promise of the last line
dependencies  a missing package, and the command that installs it
events        Console: one event a line, the result, warnings, the live line
bounds        how long a line may be, and what is left out of it (pure)
brief         what an event need not tell, and the one line of --brief (pure)
people        what a person at a terminal reads (pure)
listings      the same of lists and of other answers that are no job (pure)
signals       requests to stop
flags         the parser and the types of flags
inputs        what a flag names or holds: files, standard input, JSON
commands      `next_command`
"""

from .events import Console
from .flags import Parser
from .script import run

__all__ = ["Console", "Parser", "run"]
