"""The record of purchases.

fallbacks   which ledgers there are, and which of them counts
entries     what one command writes of each of its jobs, and the words of what it refuses (exit 27)
spending    standing caps, and prices as far as they are stated
store       intent, outcome, id, delivered; whether the same was bought before, and whether a cap allows it
locks       which process is at work on an entry
database    the file: opened only after it was checked, written only by transactions that are on the disk (fsync)
            when they return, as the intent is before a POST
rows        what stands in it, each row with its seal
"""
