"""The one helper that every script of ai-media shares.

A room a concern; a room imports only rooms below it:

    account     what else can be done with an account, and whether its key is good
    gallery     a page to look at results
    plan        what a create would send
    purchase    from a request, or a job of the ledger, to a job that runs
    uploads     inputs on their way to a service, before anything is bought
    request     what the flags of a create ask for
    group       several jobs in one command
    runner      drives one job: the machine, the wire, the screen, the disk
    journal     what a command claims in the ledger and writes there
    options     flags that several scripts have, and what they come to
    lifecycle   the state machine of one job (pure)
    provenance  where a result comes from: told beside it, inside it, and read back
    results     from a terminal answer to files on disk
    download    from a URL to bytes in a file, bounded
    sandbox     the local service and its faults
    actions     what can be done with an account, and the request of it (pure)
    payloads    the fields of a request: put together and checked
    attachments  what --input names: files, addresses, earlier jobs
    inputs      what a flag names or holds
    console     events, exit codes, the last-line promise, signals
    terminal_picture  a picture inline on a terminal
    metadata    a text inside a media file (pure but for the file)
    live        what a service itself says it offers
    program     a service's own command-line program in place of its HTTP interface
    fetching    one public document from the web
    transport   sends and receives: sessions, origin rules, redaction
    catalogue   the models of the services, and where their contracts are
    contracts   OpenAPI: find, resolve, summarise, template, validate
    ledger      the journal of purchases: intent, outcome, id, delivered
    keys        where a service's key is found
    providers   descriptors of the services, and how their answers are read
    spending    amounts, prices, caps, fingerprints (pure)
    bodies      request bodies that are read from disk while they are sent
    sse         Server-Sent Events (pure)
    containers  what a media file is, and whether it is whole (pure)
    names       the names of files (pure)
    process     runs another program within bounds
    folders     where this user's state and settings live
    errors      categories, outcomes, exit codes (pure)
"""

__version__ = "0.1.0"
