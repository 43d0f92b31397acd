"""What needs nothing else of ours.

spending    amounts, prices, caps, fingerprints (pure)
folders     where this user's state and settings live
errors      categories, outcomes, exit codes (pure)
"""
