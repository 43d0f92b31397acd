"""The whole of a batch, as a table of contents.

BatchFlags  what the flags say about the batch as a whole
Wanted      everything that they say
run         from the lines to the summary
expanded    only the lines, as --expand-only writes them
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ...base import amounts, errors, paths
from ...base.record import record, replace
from ...console import Console
from ...console.commands import command_line
from ...console.flags import IN_SKILL
from ...ledger import fallbacks
from ...media.saving import Saving
from ...services import limits
from ..connection import ConnectionFlags, connect, provider_of
from ..context import Context
from ..lifecycle.policy import WaitPolicy
from ..price import Spending
from . import chains, lines, plan
from .lines import Lines, invalid
from .outcomes import Outcomes
from .pace import Limits, Pace
from .part import Telling
from .purchases import Purchases
from .requests import Defaults, Requests
from .results import Results
from .scheduler import Scheduler
from .source import Source
from .task import Service, Task

# Seconds before a new job is read for the first time: most take longer, and every read counts against a rate.
FIRST_POLL = 1.0
# So many files its page shows, the newest: more are too many for a person, and for the memory of a batch.
_SHOWN = 2000
# Files that each job holds open, and what everything else takes.
_FILES_A_JOB, _OTHER_FILES = 2, 200


@record
class BatchFlags:
    """Each field is the flag of the same name.

    max_spend  of the whole batch, what earlier runs of it have bought included; max_spend_job of each job
    rate       requests a minute to each service
    shard      (number from 1, how many)
    """

    max_jobs: int | None = None
    max_spend: amounts.Amount | None = None
    max_spend_job: amounts.Amount | None = None
    in_flight: int | None = None
    rate: float | None = None
    shard: tuple[int, int] = (1, 1)
    continue_on_unknown: bool = False
    summary_only: bool = False
    dry_run: bool = False


@record
class Wanted:
    """Everything that the flags say."""

    source: Source
    batch: BatchFlags
    defaults: Defaults
    connection: ConnectionFlags
    spending: Spending
    policy: WaitPolicy
    saving: Saving


def expanded(console: Console, source: Source) -> int:
    """Write the lines; returns the exit code."""
    if source.problems:
        raise invalid(source.problems)
    for line in source.lines:
        console.emit("line", **lines.as_object(line))
    return console.result("expanded", 0, lines=len(source.lines))


def run(console: Console, wanted: Wanted) -> int:
    """Returns the exit code; raises Failure, and then nothing was bought."""
    batch = wanted.batch
    policy = replace(wanted.policy, stream=False, first_poll=FIRST_POLL)
    wanted = replace(wanted, policy=policy, spending=replace(wanted.spending, max_spend=batch.max_spend_job))
    wanted.saving.check()
    if paths.is_skills_own(wanted.saving.folder or os.curdir):
        raise errors.bad_argument("--output-dir", IN_SKILL)
    requests = Requests(wanted.defaults, wanted.connection, policy)
    chosen = _checked(wanted.source, requests, batch, policy)
    if batch.dry_run:
        return _shown(console, wanted, requests, chosen)
    tasks, ledgers = _tasks(console, wanted, requests, chosen)
    spending, cap = wanted.spending, _share(batch)
    purchases = Purchases(requests, ledgers, wanted.source.name, spending, cap)
    planned = plan.made(tasks, purchases)
    if planned.problems:
        raise invalid(planned.problems)
    plan.check(console, planned, batch.max_jobs, purchases.has_caps, spending.accept_unknown_cost)
    results = Results(paths.whole(wanted.saving.folder or os.curdir), wanted.source.lines.ids)
    results.distrust(planned.places)
    outcomes = Outcomes(console, results, Telling(batch.summary_only), tasks)
    scheduler = Scheduler(
        console,
        tasks,
        purchases,
        outcomes,
        continues_on_unknown=batch.continue_on_unknown,
        deadline=policy.deadline,
    )
    return _told(console, wanted, outcomes, scheduler.run())


# -- before anything is sent ---------------------------------------------------------------------------


def _checked(source: Source, requests: Requests, batch: BatchFlags, policy: WaitPolicy) -> Lines:
    """The lines of this shard, once all lines are known to be good; raises Failure 22 with all problems at once."""
    problems = [*source.problems, *chains.misplaced(source.lines)]
    circles = chains.problems(source.lines)
    problems += [one for one in circles if not source.problems or "circle" in one.message]
    if not policy.wait and any(source.lines.parents):
        raise errors.bad_argument("--no-wait", "expected without: lines wait for the outputs of other lines")
    for line in source.lines:
        try:
            requests.check(line)
        except errors.Failure as failure:
            if failure.category not in ("bad_arguments", "validation", "not_found"):
                raise  # a missing key, say, is nothing of one line
            problems += requests.problems(line, failure)
    if problems:
        raise invalid(problems)
    if not source.lines:
        raise errors.bad_argument("JOBS", "expected at least one line")
    return chains.shard(source.lines, *batch.shard)


def _shown(console: Console, wanted: Wanted, requests: Requests, chosen: Lines) -> int:
    """Tell what would be bought, and send nothing."""
    from . import foreseen

    batch, spending, cap = wanted.batch, wanted.spending, _share(wanted.batch)
    _check_places(wanted, [*dict.fromkeys(map(requests.flags_of, chosen))])
    ledgers, is_capped = None, Purchases(requests, None, "", spending, cap).has_caps
    try:
        ledgers = fallbacks.open_to_look(console)
    except errors.Failure:
        if is_capped:  # without a ledger nothing can be counted
            raise
    return foreseen.shown(
        console,
        chosen,
        requests,
        Purchases(requests, ledgers, wanted.source.name, spending, cap),
        max_jobs=batch.max_jobs,
        shard=batch.shard,
        accepts_unknown=spending.accept_unknown_cost,
    )


def _share(batch: BatchFlags) -> amounts.Amount | None:
    """The cap of this shard: an even part of the whole."""
    if batch.max_spend is None:
        return None
    return amounts.Amount(batch.max_spend.micro // batch.shard[1], batch.max_spend.unit)


def _tasks(console: Console, wanted: Wanted, requests: Requests, chosen: Lines) -> tuple[list[Task], fallbacks.Ledgers]:
    """A task for each line, with its service, and the ledgers; raises Failure for a missing key, say."""
    numbers: dict[ConnectionFlags, int] = {}
    which = [numbers.setdefault(requests.flags_of(line), len(numbers)) for line in chosen]
    places = [*numbers]
    _check_places(wanted, places)
    connections = {
        flags: connect(console, flags, provider_of(flags, flags.provider or ""), wanted.policy.deadline)
        for flags in places
    }
    if len(places) > 1:
        for name in ("provider", "key_source"):
            console.about.pop(name, None)
    embedded = all(connection.embedded for connection in connections.values())
    if not all(connection.provider.embedded for connection in connections.values()):
        console.about.pop("practice", None)
    has_chains = any(chosen.parents)
    required = wanted.spending.require_ledger or has_chains  # an output is found by its job in the ledger
    ledgers = fallbacks.open_ledgers(console, required, embedded, wanted.policy.deadline)
    services = []
    for connection in connections.values():
        context = Context(console, connection, ledgers.own, wanted.policy, wanted.saving, ledgers)
        services.append(Service(context, Pace(_limits(connection.provider, wanted.batch, len(chosen)))))
    tasks = [Task(chosen, index, services[number]) for index, number in enumerate(which)]
    if has_chains:
        by_id = {task.id: task for task in tasks}
        children: dict[Task, list[Task]] = {}
        for task, parents in zip(tasks, chosen.parents):
            task.parents = tuple(by_id[name] for name in parents)
            for parent in task.parents:
                children.setdefault(parent, []).append(task)
        for parent, those in children.items():
            parent.children = tuple(those)
    return tasks, ledgers


def _check_places(wanted: Wanted, places: list[ConnectionFlags]) -> None:
    if wanted.connection.key_stdin and len(places) > 1:
        raise errors.bad_argument("--key-stdin", "expected with lines of one service only: it is one service's key")
    if wanted.batch.max_spend is None or len(places) == 1:
        return
    units = set()
    for flags in places:
        provider = provider_of(flags, flags.provider or "")
        units.add(amounts.in_unit(wanted.batch.max_spend, provider.unit, provider.units).unit)
    if len(units) > 1:
        raise errors.bad_argument("--max-spend", "expected with services that count in the same unit")


def _limits(provider, batch: BatchFlags, lines_count: int) -> Limits:
    """What the flags say, else what the descriptor states."""
    stated = limits.of(provider)
    jobs = min(batch.in_flight or stated.get("jobs_at_once") or Limits.jobs, _open_files(lines_count) // _FILES_A_JOB)
    rate = batch.rate or stated.get("requests_per_minute")
    # Where the create is answered when the job is done, as many creates are out as jobs are under way.
    submits = Limits.submits * 2 if provider.answers_when_done else Limits.submits
    return Limits(rate, max(jobs, 1), max(min(submits, jobs), 1))


def _open_files(lines_count: int) -> int:
    """How many files the jobs may hold open; the limit of this process is raised as far as it may be."""
    if sys.platform == "win32":
        return 4096
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(lines_count, Limits.jobs * 10) * _FILES_A_JOB + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(soft - _OTHER_FILES, _FILES_A_JOB)


# -- at the end ------------------------------------------------------------------------------------------


def _told(console: Console, wanted: Wanted, outcomes: Outcomes, signal_number: int | None) -> int:
    code, fields = outcomes.summary()
    fields["gallery"] = _gallery(wanted.saving.folder) if fields["files"] else None
    again = wanted.source.again
    if outcomes.goes_on and again is not None:
        fields.update(command_line("create_batch.py", *again))
    if signal_number is not None:
        return console.result("interrupted", 128 + signal_number, **fields)
    return console.result("summary", code, **fields)


def _gallery(folder: str | None) -> str | None:
    """The page of the results; None where one cannot be written."""
    from ...provenance import gallery

    try:
        return gallery.write(folder or os.curdir, _SHOWN)[0]
    except errors.Failure:
        return None
