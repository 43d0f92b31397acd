"""The record of purchases.

fallbacks   which ledgers there are
entries     what one command claims, and what it writes of each of its jobs
spending    caps, and prices as far as they are stated
store       intent, outcome, id, delivered
"""
