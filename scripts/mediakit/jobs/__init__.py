"""One job, from the flags to the files.

account     what else can be done with an account, and whether its key is good
plan        what a create would send
purchase    from a request, or a job of the ledger, to a job that runs
uploads     inputs on their way to a service, before anything is bought
request     what the flags of a create ask for
runner      drives one job: the machine, the wire, the console, the disk
options     flags that several scripts have, and what they come to
lifecycle   the state machine of one job (pure)
"""
