"""The record of purchases.

fallbacks   which ledgers there are, and which of them counts
entries     what one command claims, and what it writes of each of its jobs
spending    caps, and prices as far as they are stated
store       intent, outcome, id, delivered
locks       which process is at work on an entry
database    the file: opened only after it was checked, written only by transactions that last
rows        what stands in it, each row with its seal
"""
