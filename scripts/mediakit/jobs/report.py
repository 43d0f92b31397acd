"""The result line of one job: what became of it, and the command that goes on with it.

Report  writes it
"""

from __future__ import annotations

import os
import time

from ..console import Console, bounds
from ..console.commands import command_line
from ..ledger import entries
from ..media import save
from ..media.saving import Saving
from ..services import trust
from .connection import Connection
from .driver import Driver
from .lifecycle.actions import End

# A caller that kills slow tools gives them more than this; a shorter time was for this command alone, in seconds.
_LEAST_TO_PASS_ON = 30.0


class Report:
    """Tells of one job.

    early        the result of a job that did not reach a terminal state here
    terminal     the result of one that did
    interrupted  the result of one whose files were still on their way
    about        what an error of any kind must tell of the job

    model     where it is known
    began_at  on the clock of time.monotonic
    """

    def __init__(
        self,
        console: Console,
        connection: Connection,
        saving: Saving,
        writer: entries.Writer,
        driver: Driver,
        model: str | None,
    ):
        self._console = console
        self._connection = connection
        self._provider = connection.provider
        self._saving = saving
        self._writer = writer
        self._driver = driver
        self._model = model
        self._began_at = time.monotonic()

    def about(self) -> dict:
        return {"outcome": self._driver.job.outcome, **self.way_on()}

    def way_on(self, action: str = "resume", *flags: str) -> dict:
        """The id, the job's key in the ledger, and the command that goes on with it; `flags` are of that action."""
        found, key = self._driver.job.generation_id, self._writer.key
        known = {name: value for name, value in (("generation_id", found), ("job", key)) if value}
        words = [*self._connection.chosen]
        if self._saving.folder is not None:
            words += ["--output-dir", os.path.abspath(self._saving.folder), *self._saving.flags]
        within = self._driver.job.policy.within
        words += ["--deadline", f"{within:g}"] if within and within >= _LEAST_TO_PASS_ON else []
        if key and (found or (self._driver.intake.is_result_kept and self._driver.intake.kept)):
            return {**known, **command_line("jobs.py", action, key, *words, *flags)}
        # A job that was accepted without an id is looked for like one whose outcome is unknown.
        if key and self._driver.job.outcome in ("unknown", "accepted"):
            return {**known, **command_line("jobs.py", "reconcile", key, *words)}
        # An id that holds the key would carry it into a command line.
        if found and trust.PLAIN_WORD.fullmatch(found) and self._console.redactor.text(found) == found:
            return {**known, **command_line("wait_generation.py", "--generation-id", found, *words)}
        return known

    def status(self) -> None:
        """The live line for a person."""
        job = self._driver.job
        elapsed = time.monotonic() - self._began_at
        progress = "" if job.progress is None else f"{job.progress:.0%}"
        before = "" if job.position is None else f"{job.position} before it"
        state = " ".join(filter(None, (job.status or "waiting", progress, before)))
        words = (f"{elapsed:.0f} s", state, self._model, job.generation_id)
        self._console.status("  ".join(word for word in words if word))

    def early(self, end: End) -> int:
        fields = dict(end.fields)
        if end.event == "submitted":
            fields["replayed"] = self._driver.intake.replayed or None
            fields["usage"] = self._provider.bills.usage(end.reading.body) if end.reading else None
        kept_before = end.failure.fields.get("kept") if end.failure else None
        fields.update(
            self.way_on(), trace_id=self._driver.intake.trace_id, kept=self._driver.intake.kept or kept_before
        )
        if "guidance" in fields:
            fields["guidance"] = [*fields["guidance"], *self._provider.advice.looking]
        failure = end.failure
        if failure is None:
            return self._console.result(end.event, end.exit_code, **fields)
        guidance = [*self._driver.intake.advice]
        if failure.category != "guard":
            guidance += self._provider.advice.on(failure.category)
        if failure.category == "outcome_unknown":
            guidance += self._provider.advice.looking
        failure.fields.setdefault("guidance", guidance)
        return self._console.failure(failure, **fields)

    def interrupted(self, signal_number: int, assets: list[dict]) -> int:
        fields = {"outcome": "accepted", "assets": assets, **self.way_on()}
        return self._console.result("interrupted", 128 + signal_number, **fields)

    def terminal(self, end: End, outputs: list[dict], assets: list[dict] | None, ended: save.SavingEnded) -> int:
        """assets  of the files that were saved; None where none were asked for
        ended   how that ended
        """
        problem = ended.problem
        # A job without a result is not done, whatever its service calls it.
        ok = end.fields["ok"] and not ended.nothing_there
        body = end.reading.body if end.reading else None
        source = self._driver.outgoing.source
        fields = {
            "ok": ok,
            "source": source or end.fields["source"],
            "provider": self._provider.name,
            "model": self._model,
            "generation_id": self._driver.job.generation_id,
            "job": self._writer.key,
            "status": end.fields["status"],
            "state": end.fields["state"],
            "outputs": outputs,
            "assets": assets,
            "usage": self._provider.bills.usage(body),
            "effective_parameters": self._provider.answers.effective(body) or None,
            "error": self._error(end, body, ended),
            "elapsed_seconds": round(time.monotonic() - self._began_at, 3),
            "replayed": self._driver.intake.replayed or None,
            "trace_id": self._driver.intake.trace_id,
            "kept": self._driver.intake.kept,
            "response": body,
        }
        names = self._provider.names
        if names:
            fields["mode_used"] = source or "rest"
        fields.update({name: fields[ours] for name, ours in names.items() if fields.get(ours) is not None})
        if problem and not ended.nothing_there:
            fields.update(self.way_on("download", *(["--accept-unverified"] if ended.acceptable else [])))
        elif ok and assets is None and (outputs or not bounds.is_within(body, bounds.RESPONSE)):
            if fields["generation_id"] or fields["kept"]:  # without an id there is nothing to ask for again
                fields.update(self.way_on("download"))
        code = 10 if ended.nothing_there else 26 if problem else end.exit_code
        return self._console.result("terminal", code, **fields)

    def _error(self, end: End, body, ended: save.SavingEnded) -> dict | None:
        if ended.problem and not ended.nothing_there:
            return {"code": "saving_failed", "message": ended.problem}
        code, message = ("", "") if end.fields["ok"] and not ended.problem else self._provider.refusals.failure(body)
        if ended.problem:
            # The service would give the same answer again: there is no next command.
            why = f"; it says: {self._console.plain(message or code)}" if message or code else ""
            return {"code": "no_output", "message": ended.problem + why}
        return {"code": code, "message": self._console.plain(message)} if code or message else None
