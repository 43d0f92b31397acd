"""Going on with the jobs of the ledger, one or several.

go_on    wait for jobs as far as that can be done from what is known of each
wait_for wait for one that only its service knows
accept   take the files that lie there unverified as they are; nobody is asked
attach   take a person's word for the id of a job, once the service knows a job of that id
"""

from __future__ import annotations

import json
import os

from ..base import errors, paths
from ..base.record import replace
from ..console import Console, several
from ..console.flags import IN_SKILL
from ..ledger import entries, refusals, store
from ..media import save, staging
from ..media.saving import Saving
from ..provenance import provenance
from ..services import providers
from . import kept, purchase, request
from .connection import Connection, ConnectionFlags, connect, connect_again, provider_of
from .context import Context
from .job import Job
from .lifecycle.policy import WaitPolicy
from .listing import Found
from .start import Start


def go_on(
    console: Console,
    found: list[Found],
    flags: ConnectionFlags,
    policy: WaitPolicy,
    saving: Saving,
) -> int:
    """Returns the exit code; raises Failure for a single job that nothing can be done for."""

    def job(one: Found):
        return lambda part: _go_on(part, one.ledger, one.entry, flags, policy, saving)

    return several.run(console, [job(one) for one in found], keys=lambda: [one.entry.key for one in found])


def _go_on(
    console: Console,
    ledger: store.Ledger,
    entry: store.Entry,
    flags: ConnectionFlags,
    policy: WaitPolicy,
    saving: Saving,
) -> int:
    go_on = _way(ledger, entry)
    saving = into(entry.output_dir, saving)
    accepted = accept(console, ledger, entry, saving) if saving.accepts_unverified else None
    if accepted is not None:
        return accepted
    # What was kept of a job without an id is all there is of it: its service is not asked, and gets no key.
    is_asked = bool(entry.generation_id) or ledger.outcome_of(entry) != "accepted"
    connection = _connected(console, ledger, entry, flags, with_key=is_asked)
    return go_on(Context(console, connection, ledger, policy, saving), entry).run()


def accept(console: Console, ledger: store.Ledger, entry: store.Entry, saving: Saving) -> int | None:
    """Returns the exit code; None where not every result of the job lies there as it came. Raises OSError."""
    assets = json.loads(entry.assets) if entry.assets else []
    folder = paths.whole(saving.folder or ".")
    is_all_there = entry.state == "succeeded" and all(
        asset.get("of") == len(assets) and os.path.dirname(asset.get("path", "")) == folder and save.is_unchanged(asset)
        for asset in assets
    )
    if not is_all_there or not any(map(save.is_unverified, assets)):
        return None
    provider, writer = providers.load(entry.service), entries.Writer(console, ledger, entry)
    console.about.update(provider=provider.name, practice=True if provider.embedded else None)
    told = []
    for asset in assets:
        if save.is_unverified(asset):
            placed = save.accepted(staging.Staging(folder), asset)
            placed["provenance"] = provenance.follow(asset["path"], placed["path"])
            asset = {name: value for name, value in placed.items() if value is not None}
        told.append({name: value for name, value in asset.items() if name != "of"})
        console.emit("asset", **told[-1])
    writer.saved(told, of=len(told))
    writer.about_to_end()
    code = console.result(
        "terminal", 0, ok=True, source="ledger", provider=provider.name, model=entry.model,
        generation_id=entry.generation_id, job=entry.key, status=entry.status, state=entry.state, outputs=[],
        assets=told, usage=json.loads(entry.usage) if entry.usage else None, elapsed_seconds=0.0,
    )  # fmt: skip
    writer.ended(code, delivered=True)
    return code


def wait_for(console: Console, generation_id: str, flags: ConnectionFlags, policy: WaitPolicy, saving: Saving) -> int:
    """Returns the exit code. Nothing is written into a ledger."""
    connection = connect(console, flags, provider_of(flags, flags.provider or "skills-video"))
    return Job(Context(console, connection, None, policy, saving), Start(generation_id=generation_id)).run()


def _way(ledger: store.Ledger, entry: store.Entry):
    """How to go on with a job; raises Failure where there is nothing to go on with."""
    outcome = ledger.outcome_of(entry)
    if outcome == "under_way":
        raise refusals.under_way(entry)
    if outcome not in ("accepted", "unknown"):
        raise errors.Failure(
            "job_not_found",
            f"nothing was bought: the request was {outcome.replace('_', ' ')}",
            "not_found",
            retryable=False,
            job=entry.key,
            guidance=["Run the command that was to buy it once more."],
        )
    if outcome == "accepted" and not entry.generation_id and not kept.result(kept.found(entry.key)):
        raise errors.Failure(
            "job_not_found",
            "the service gave this job no id, so that it cannot be asked for again; it was delivered at once",
            "not_found",
            retryable=False,
            job=entry.key,
            guidance=["What was saved of it: jobs.py show, `assets_saved`."],
        )
    return purchase.resume if outcome == "accepted" and entry.generation_id else purchase.reconcile


def into(folder: str | None, saving: Saving) -> Saving:
    """The same, into that folder where none is named; raises Failure 2."""
    if saving.folder is None and folder is not None and paths.is_skills_own(folder):
        raise errors.bad_argument("--output-dir", IN_SKILL)
    return replace(saving, folder=saving.folder or folder)


def _connected(
    console: Console, ledger: store.Ledger, entry: store.Entry, flags: ConnectionFlags, with_key: bool = True
) -> Connection:
    """connect_again; where that fails, it is told for which job, and that it is as it was."""
    try:
        return connect_again(console, flags, ledger, entry, with_key)
    except errors.Failure as failure:
        known = {"job": entry.key, "generation_id": entry.generation_id, "outcome": ledger.outcome_of(entry)}
        failure.fields.update({name: value for name, value in known.items() if value})
        raise


def attach(
    console: Console,
    ledger: store.Ledger,
    entry: store.Entry,
    given: str,
    flags: ConnectionFlags,
    policy: WaitPolicy,
    saving: Saving,
) -> int:
    """Returns the exit code; `given` is the id that a person has found."""
    if ledger.outcome_of(entry) != "unknown":
        raise errors.bad_argument("--attach", "expected a job whose outcome is unknown")
    generation_id = request.generation_id(given)
    connection = _connected(console, ledger, entry, flags)
    for origin in {entry.origin, connection.origin}:
        if not ledger.unclaimed(entry.service, origin, [generation_id]):
            raise errors.bad_argument("--attach", "that id belongs to another job of the ledger")
    context = Context(console, connection, ledger, policy, into(entry.output_dir, saving))
    return purchase.attach(context, entry, generation_id).run()
