"""What each script does: its description, its flags, and `main` as a table of contents.

The file of the same name one folder up only starts it, so that this one is compiled once and for all, and
may be written for newer Pythons than the one that happens to run it. `start` is how each of them begins.
"""
