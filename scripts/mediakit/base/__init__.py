"""What needs nothing else of ours.

start       how every script begins, whatever Python reads it
old_python  how it ends, or goes on, where that Python is too old
packages    which packages are missing or too old
environment an environment of our own that has them
programs    programs by name, and none that a stranger's folder could hold
repository  what can be said of a Git repository without running anything of it
home        where this user's own folder is, and whether what lies there is this user's alone
amounts     sums of money or credits, and what makes two requests one purchase (pure)
canonical   one spelling for what means the same (pure)
paths       where this user's state and settings live
regex       regular expressions that are compiled when they are first used (pure)
record      small values that never change
redactor    takes secrets out of what is shown or stored
spool       files without a name, for what is too large to hold in memory
atomic      a file that is written whole or not at all
private     a file that others cannot read, for what is appended to it
text        text and JSON on their way out: one line, valid, safe on a terminal (pure)
inbox       where threads put what happens, and one waits for it
workers     threads that take turns at many pieces of work
retry       pauses between tries, and how often one is told of
documents   JSON files that come with the skill, each read once
pointer     JSON Pointers: find and write (pure)
times       RFC 3339, and what is left of the command's time
credit_words  whether a message says that nothing is left to spend (pure)
errors      what ends a command, and how an HTTP answer is classified (pure)
codes       the registry of exit codes, error codes and warning codes (pure)
"""
