"""From a terminal answer to a delivered job: its files saved and told, its entry in the ledger closed.

Delivery   of one job, step by step: it never waits
Files      results on their way to disk, each told as it is there
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

from ..base.inbox import Inbox, Message, Signal
from ..base.record import replace
from ..base.retry import Backoff
from ..console import Console
from ..http import addresses
from ..http.answers import Answer
from ..http.documents import read_json
from ..http.exchange import Exchange
from ..ledger import entries
from ..media import download, names, save
from ..provenance import provenance
from ..services import catalogue, providers
from .context import Context
from .driver import Driver
from .kept import forget
from .lifecycle.actions import End
from .report import Report
from .start import Start

_GONE = "the service has removed what this job made"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
# Seconds reserved before a deadline for writing the result line.
_SPARE = 0.5
_LATE = "the time for it was used up (--download-timeout, --deadline)"


class Files:
    """The results of one job, or of one action, on their way to disk.

    renew    called when a host gives nothing any more; its answer goes to `renewed`
    keeper   what is done with each file; None for nothing

    assets   of the files that are in place
    ended    what the saver said at last; None while it is at work
    """

    def __init__(
        self,
        console: Console,
        saver: save.Saver,
        renew: Callable[[], None],
        keeper: provenance.Keeper | None = None,
    ):
        self.assets: list[dict] = []
        self.ended: save.SavingEnded | None = None
        self._console = console
        self._saver = saver
        self._renew = renew
        self._keeper = keeper

    def start(self, outputs: list[dict]) -> None:
        self._saver.start(outputs)

    def renewed(self, outputs: list[dict] | None) -> None:
        """The outputs under fresh links; None where there are none."""
        self._saver.renew(outputs)

    def take(self, message: Message) -> None:
        """What the saver reports; a message of somebody else is ignored."""
        content = message.content
        if message.sender is not self._saver:
            return
        if isinstance(content, save.AssetSaved):
            self._tell(content)
        elif isinstance(content, save.Noticed):
            self._console.warning(content.code, content.message)
        elif isinstance(content, save.Retrying):
            self._console.retry(content.what, content.attempt, content.seconds, content.message)
        elif isinstance(content, save.LinkExpired):
            self._renew()
        elif isinstance(content, save.SavingEnded):
            self.ended = content

    def _tell(self, saved: save.AssetSaved) -> None:
        asset = saved.asset
        if self._keeper and not saved.kept:
            asset = self._keeper.keep(asset, saved.output, saved.received)
        self.assets.append(asset)
        self._console.emit("asset", **asset)
        if self._keeper:
            self._keeper.show(asset)

    def stop(self) -> None:
        """Name no further file; tell of those that have their names and were not told yet."""
        for saved in self._saver.stop()[len(self.assets) :]:
            self._tell(saved)

    def abandon(self) -> None:
        """The same for nobody: no half file is left behind."""
        self._saver.stop()


class _Asking:
    """How long, and how often, a job that is done is asked for results that it does not tell yet.

    now, deadline  on the clock of time.monotonic
    patience       seconds
    was_answered   whether it has told anything at all since
    """

    def __init__(self, now: float, deadline: float, patience: float):
        self.attempt = 1
        self.was_answered = False
        self._until = now + min(save.PATIENCE, patience - _SPARE)
        self.over_at = min(self._until, deadline - _SPARE)
        self._pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)

    def pause(self, now: float) -> float | None:
        """Seconds until it is asked once more; None where it was asked for long enough."""
        pause = 0.0 if self.attempt == 1 else round(self._pauses.next(), 3)
        self.attempt += 1
        return pause if now + pause < self.over_at else None

    def ended(self) -> save.SavingEnded:
        if self.over_at < self._until:
            return save.SavingEnded(_LATE)
        return save.SavingEnded(save.NO_RESULT, nothing_there=self.was_answered)


class Delivery:
    """Delivers one job that has reached a terminal state.

    begin, step   the exit code once the result is written, else None
    wake_at       when `step` is to be called although nothing came, on the clock of time.monotonic
    """

    def __init__(
        self,
        context: Context,
        writer: entries.Writer,
        start: Start,
        driver: Driver,
        report: Report,
        inbox: Inbox,
    ):
        self.wake_at = float("inf")
        self._context = context
        self._writer = writer
        self._start = start
        self._driver = driver
        self._report = report
        self._inbox = inbox
        self._end: End | None = None
        self._outputs: list[dict] = []
        self._files: Files | None = None
        self._asking: _Asking | None = None
        self._renewal: Exchange | None = None

    @property
    def _provider(self) -> providers.Provider:
        return self._context.connection.provider

    def begin(self, end: End) -> int | None:
        reading = end.reading
        body, headers = (reading.body, reading.headers) if reading else (None, None)
        cost = self._provider.bills.cost(body, headers, self._driver.intake.told_by)
        self._writer.billed(cost, self._provider.bills.usage(body))
        told = reading.outputs if reading else None
        self._outputs = self._driver.intake.outputs(body) if told is None else told
        if not end.fields["ok"]:
            return self._finish(end, None, save.SavingEnded())
        wanted = self._outputs or self._written_result(body)
        if not wanted and self._provider.answers.is_gone(body):
            return self._finish(end, None, save.SavingEnded(_GONE, nothing_there=True))
        return self._save(end, wanted) if wanted else self._ask_for_results(end)

    def _save(self, end: End, wanted: list[dict]) -> int | None:
        saving, body = self._context.saving, end.reading.body if end.reading else None
        if saving.folder is None:
            return self._finish(end, None, save.SavingEnded())
        keeper = provenance.Keeper(self._context.console, saving, self._facts(body), wanted)
        saver = self._saver(saving.folder, keeper)
        self._files, self._end = Files(self._context.console, saver, self._ask_anew, keeper), end
        self._files.start(wanted)
        self.wake_at = min(time.monotonic() + saving.budget.limits.seconds, self._context.policy.deadline)
        return None

    def step(self, message: Message | Signal | None) -> int | None:
        files, end = self._files, self._end
        if self._asking is not None and end is not None:
            return self._step_asking(self._asking, end, message)
        if files is None or end is None:
            return None
        if isinstance(message, Signal):
            files.stop()
            self._writer.saved(files.assets)
            code = self._report.interrupted(message.number, files.assets)
            self._writer.ended(code, delivered=False)
            return code
        if message is not None and message.sender is self._renewal and self._renewal is not None:
            self._renewal = None
            found = self._outputs_of(message.content)
            self._outputs = found or self._outputs
            files.renewed(found)
        elif message is not None:
            files.take(message)
        if files.ended:
            return self._finish(end, files.assets, files.ended)
        if time.monotonic() >= self.wake_at:
            files.stop()
            return self._finish(end, files.assets, save.SavingEnded(_LATE))
        return None

    def abandon(self) -> None:
        if self._files:
            self._files.abandon()

    # -- a job that is done before its results are told ------------------------------------------------

    def _ask_for_results(self, end: End) -> int | None:
        if not self._driver.job.generation_id:  # what was answered at once cannot be asked for again
            return self._finish(end, None, save.SavingEnded(save.NO_RESULT, nothing_there=True))
        deadline, patience = self._context.policy.deadline, self._context.saving.budget.limits.seconds
        self._asking, self._end = _Asking(time.monotonic(), deadline, patience), end
        return self._pause_asking(self._asking, end)

    def _pause_asking(self, asking: _Asking, end: End) -> int | None:
        now = time.monotonic()
        pause = asking.pause(now)
        if pause is None:
            # Without a folder nothing was to be saved: that the job is done is all that was asked for.
            is_enough = self._context.saving.folder is None and not asking.was_answered
            return self._finish(end, None, save.SavingEnded() if is_enough else asking.ended())
        self._context.console.retry("expired_link", asking.attempt, pause, save.NO_RESULT)
        self.wake_at = now + pause
        return None

    def _step_asking(self, asking: _Asking, end: End, message: Message | Signal | None) -> int | None:
        if isinstance(message, Signal):
            code = self._report.interrupted(message.number, [])
            self._writer.ended(code, delivered=False)
            return code
        renewal, content = self._renewal, None
        if message is not None:
            if message.sender is not renewal or renewal is None:
                return None
            content = message.content
        elif time.monotonic() < self.wake_at:
            return None
        elif renewal is None:
            self._ask_anew()
            self.wake_at = time.monotonic() + self._context.policy.poll_request_timeout
            self.wake_at = min(self.wake_at, asking.over_at)
            return None
        else:
            renewal.leave()
        self._renewal = None
        found = self._outputs_of(content)
        if found is None:
            return self._pause_asking(asking, end)
        asking.was_answered = True
        body = read_json(content.content)[0] if isinstance(content, Answer) else None
        if end.reading is not None:
            end = self._end = replace(end, reading=replace(end.reading, body=body))
        self._outputs = found
        wanted = found or self._written_result(body)
        if not wanted:
            return self._pause_asking(asking, end)
        self._asking = None
        return self._save(end, wanted)

    def _finish(self, end: End, assets: list[dict] | None, ended: save.SavingEnded) -> int:
        if assets is not None:
            self._writer.saved(assets, of=len(self._outputs) or 1)
        self._writer.about_to_end()
        self._keep_what_cannot_be_had_again(assets, ended)
        code = self._report.terminal(end, self._outputs, assets, ended)
        # Exit 26 is not delivered: the same command again saves what is missing, and buys nothing.
        self._writer.ended(code, delivered=ended.problem is None or ended.nothing_there)
        return code

    def _keep_what_cannot_be_had_again(self, assets: list[dict] | None, ended: save.SavingEnded) -> None:
        """A result that was the answer to its create is kept from when it came until it is on disk."""
        driver = self._driver
        if driver.intake.is_result_kept and assets is not None and not ended.problem:
            forget(driver.intake.kept)
            driver.intake.kept = None

    # -- files ---------------------------------------------------------------------------------------

    def _saver(self, folder: str, keeper: provenance.Keeper) -> save.Saver:
        saving, connection = self._context.saving, self._context.connection
        if saving.allows_private:
            words = "--allow-private-network: a result's link can reach into this machine's own network"
            self._context.console.warning("private_network_allowed", words)
        is_practice = self._provider.embedded and saving.template == names.DEFAULT
        name = names.FileName(
            names.OF_PRACTICE if is_practice else saving.template,
            time.time(),
            service=self._provider.name,
            model=self._start.model or "job",
            task=saving.task,
            job=self._writer.key,
            line=saving.line,
        )
        request = save.SaveRequest(
            folder, name, connection.loopback_base, saving, keeper.finishing, self._credential(), self._saved_before()
        )
        return save.Saver(request, self._inbox, self._context.saves)

    def _credential(self) -> download.Credential | None:
        """The key, for files that the service gives nobody else."""
        connection = self._context.connection
        if connection.authorisation is None:
            return None
        origins = frozenset(addresses.origin_of(one) for one in (connection.base_url, *connection.site.origins))
        return download.Credential(*connection.authorisation, origins)

    def _saved_before(self) -> list[dict]:
        """The files of this job that an earlier command has saved; a job that no ledger knows is told by its records."""
        entry, generation_id = self._writer.entry, self._driver.job.generation_id
        if entry is None and generation_id and self._context.saving.folder is not None:
            return provenance.saved_of(self._context.saving.folder, self._provider.name, generation_id)
        known = json.loads(entry.assets) if entry and entry.assets else []
        return [{name: value for name, value in asset.items() if name != "of"} for asset in known]

    def _ask_anew(self) -> None:
        """A link has expired, or is not there yet: the job is read once more for a fresh one."""
        if self._files and not (self._driver.job.generation_id and self._provider.renews_outputs):
            return self._files.renewed(None)
        self._renewal = self._driver.outgoing.ask("result" if self._provider.job.result else "read")

    def _outputs_of(self, content) -> list[dict] | None:
        """The outputs in an answer to a read; None in anything else."""
        if not isinstance(content, Answer) or not 200 <= content.status < 300:
            return None
        return self._driver.intake.outputs(read_json(content.content)[0])

    def _written_result(self, body) -> list[dict]:
        """The result of a model that makes words, where no file holds it: what the answer itself says."""
        result = self._provider.answers.result(body)
        media = catalogue.entry(self._provider.speaks, self._start.model).get("media")
        if result is None or not (media == "text" or (media is None and _has_words(result))):
            return []
        content = base64.b64encode(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")).decode()
        return [{"url": f"data:application/json;base64,{content}", "type": "document"}]

    def _facts(self, body) -> dict:
        """What provenance tells of this job."""
        entry, provider = self._writer.entry, self._provider
        cost = provider.bills.cost(body, None, self._driver.intake.told_by)
        payload = self._start.noted
        if payload is None and entry and entry.payload:
            payload = json.loads(entry.payload)
        asked_at = self._driver.asked_at if self._start.submission else None
        return {
            "provider": provider.name,
            "speaks": provider.speaks if provider.embedded else None,
            "model": self._start.model,
            "task": self._context.saving.task or catalogue.only_task(provider.speaks, self._start.model),
            "payload": payload,
            "job": self._writer.key,
            "generation_id": self._driver.job.generation_id,
            "cost": cost.shown if cost else None,
            "usage": provider.bills.usage(body),
            "created_at": entry.created_at if entry else asked_at,
            "finished_at": time.time(),
        }


def _has_words(result) -> bool:
    """Whether a result says anything itself."""
    if isinstance(result, (dict, list)):
        return any(map(_has_words, result.values() if isinstance(result, dict) else result))
    return isinstance(result, str) and bool(result.strip())
