"""The record of purchases.

fallbacks   which ledgers there are, and which of them counts
entries     what one command writes of each of its jobs
refusals    the words in which the ledger refuses (exit 27)
spending    standing caps, and prices as far as they are stated
store       one ledger: who is at a job, and what becomes of it
claims      what a command that wants to buy is told: buy, or go on with what is there
lookup      the jobs of a ledger, as they are looked for
caps        what was spent, and whether a cap allows more
uploads     the inputs that services have, and by whose account
table       the jobs as rows, read with their seals and changed with a note of what happened
locks       which process is at work on an entry
database    the file: written only by transactions that are on the disk (fsync) when they return, as the intent is
            before a POST
opening     how it is opened: checked first, made or led to this version where needed
schema      its tables, how they became what they are, and the seal of each row
unusable    why a ledger cannot be trusted, read or written
rows        what stands in it
"""
