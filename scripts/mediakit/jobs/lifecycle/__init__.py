"""The state machine of one job: what was seen in, what to do next out.

Pure: no I/O, and no clock of its own; every method takes `now`, seconds on any monotonic clock,
and returns the actions to carry out, in order. The rules are those of the command-line contract
("What a paid POST may do", "Waiting").

    creating ──id──> streaming ──stream left──> polling ──> ended
        │                └──────terminal status───────────────^
        ├──rejected, terminal answer──────────────────────────^
        └──unknown──> reconciling ──found──> polling          │
                           └──not found───────────────────────^

machine      what a driver calls; hands on to the phase that the job is in
creating     the paid POST: sent, refused, without an answer
streaming    the answer to the POST as a stream
reconciling  which of the service's running jobs it is, after a POST of unknown outcome
polling      reads of the job until it ends, and the retry of one that failed
repeats      when the same POST may be sent again under its idempotency key
outcomes     what a job comes to: accepted, and the ways to end
failures     the texts of the errors among them
status       JobStatus: what is known of one job
actions      what a driver is asked to do
answers      JobAnswer: what an answer says
policy       WaitPolicy and ServiceRules: how the user wants to wait, how the service is
"""
