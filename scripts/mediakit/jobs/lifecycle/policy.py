"""How the user wants to wait, and what the machine has to know of the service."""

from __future__ import annotations

from ...base.record import record


@record
class WaitPolicy:
    """How a user wants to wait, in seconds.

    stream          whether the create is read as a stream
    wait            whether to wait at all once the job is accepted
    create_timeout  for the answer to a POST, and for data on an open stream
    stream_timeout  for a stream in all, from when it opened
    poll_timeout    for polling, from when it began
    first_poll      before the first poll of a job that was just accepted
    deadline        for everything: a moment on the clock of `now`
    within          the seconds of the whole command that the user set, if any: the command that goes on has them too
    verbose         whether every answer is told, and not only each new state
    """

    stream: bool = True
    wait: bool = True
    create_timeout: float = 120.0
    stream_timeout: float = 3600.0
    poll_timeout: float = 900.0
    poll_interval: float = 3.0
    poll_request_timeout: float = 20.0
    first_poll: float = 0.0
    deadline: float = float("inf")
    within: float | None = None
    verbose: bool = False


@record
class ServiceRules:
    """What the machine has to know of a service.

    ending_events  names of stream events that end the stream
    reconciles     whether the service can be asked what became of a POST without an answer
    repeats_for    for how many seconds after `begin` the same may be sent again under its idempotency key; 0 without
    repeat_pauses  seconds before that at the least where the answer names none: after an answer, and after none
    sending_time   seconds that the answer to the POST may take longer, where it carries files
    final_statuses HTTP statuses after which a POST is not sent again by itself, although nothing was bought
    read_every     the service wants to be asked about a job no more often than so many seconds
    list_every     the same of its list of jobs
    """

    ending_events: frozenset = frozenset()
    reconciles: bool = False
    repeats_for: float = 0.0
    repeat_pauses: tuple[float, float] = (0.0, 0.0)
    sending_time: float = 0.0
    final_statuses: frozenset = frozenset()
    read_every: float = 0.0
    list_every: float = 0.0
