"""The one helper that every script of ai-media shares.

A package a concern; a package imports only packages below it:

    jobs        what is asked for, what becomes of it, and what is told and kept of it
    provenance  where a result comes from: told beside it, inside it, and read back
    sandbox     the local service and its faults
    ledger      the record of purchases: intent, outcome, id, delivered
    services    descriptors, models, keys and actions of the services, and how their answers are read
    media       files: what they are, their names, and how they come and go
    http        requests and answers: who may be reached, who gets the key, what has left the machine
    contracts   OpenAPI: find, resolve, summarise, template, validate
    console     events, flags, exit codes, the last-line promise, signals
    base        what needs nothing else of ours: errors, amounts, paths

Each package's own docstring lists its rooms, from top to bottom.
"""

__version__ = "0.1.0"
