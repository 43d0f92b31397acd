"""The record of purchases.

journal     what a command claims in the ledger and writes there
ledger      intent, outcome, id, delivered
"""
