"""Drives one job: the machine decides, the wire sends, the console tells, the disk keeps.

The main thread waits in one place, the inbox; requests and downloads run in threads and report to
it, and so does the signal handler.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time

from ..base import errors, paths
from ..base.inbox import Inbox, Message, Signal
from ..base.text import to_line
from ..console import Console
from ..console.commands import command_line
from ..http import sse, transport
from ..ledger import entries
from ..media import names, save
from ..provenance import provenance
from ..services import catalogue, providers
from . import lifecycle
from .options import Connection

_LONGEST_WAIT = 0.25
_LARGEST_RESPONSE = 16 * 1024
_MOST_OUTPUTS = 100
_LONGEST_URL = 4096
_LARGEST_TRACED = 64 * 1024
# An id that may stand in a command line which somebody will paste into a shell.
_PASTEABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


class Runner:
    """One job on one connection.

    terms          lifecycle.Terms
    model          the model, where it is known
    path, payload  of the create; None for a job that exists already
    body           (fields) -> bodies.Body, where they are not sent as JSON
    noted          the payload as it may be kept, with a note in place of each file; the same where left out
    sent_with      what is sent beside the payload: the idempotency key, the service's own guard
    warnings       (code, message) of what is to be known before it is sent
    generation_id  of a job that exists already
    output_dir     where results are saved; None for nowhere
    saving         save.Saving: how
    trace          the file of --trace
    writer          the job's ledger; without one nothing is written down
    resumes        for a job that was paid for before: reason and message of its `resumed` event
    unresolved     for a job that may exist: the Failure if it is not found
    """

    def __init__(
        self,
        console: Console,
        connection: Connection,
        terms: lifecycle.Terms,
        *,
        model: str | None = None,
        path: str | None = None,
        payload: dict | None = None,
        body=None,
        noted: dict | None = None,
        sent_with: dict | None = None,
        warnings: list[tuple[str, str]] = (),
        generation_id: str | None = None,
        output_dir: str | None = None,
        saving: save.Saving | None = None,
        trace: str | None = None,
        writer: entries.Writer | None = None,
        resumes: tuple[str, str] | None = None,
        unresolved=None,
    ):
        self._console = console
        self._connection = connection
        self._provider = connection.provider
        self._terms = terms
        self._model = model
        self._path = path
        self._payload = payload
        self._body = body or (lambda fields: fields)
        self._noted = payload if noted is None else noted
        self._sent_with = sent_with or {}
        self._warnings = warnings
        self._output_dir = output_dir
        self._saving = saving or save.Saving()
        provenance.check(self._saving, output_dir)
        self._keeper: provenance.Keeper | None = None
        self._inbox = Inbox()
        self._writer = writer or entries.Writer(console)
        self._resumes = resumes
        self._job = lifecycle.Job(
            terms,
            generation_id,
            unresolved=unresolved,
            forgiving=resumes is not None and not self._writer.attached_by_hand,
        )
        self._wire = connection.wire(self._inbox, tracer(console, trace) if trace else None)
        self._exchange: transport.Exchange | None = None
        self._creating: transport.Exchange | None = None
        self._listing: transport.Exchange | None = None
        self._decoder = sse.Decoder()
        self._began_at = 0.0
        self._trace_id: str | None = None
        self._advice: list[str] = []
        self._asked_at = time.time() if path else None

    def run(self) -> int:
        """Until the result is written; returns the exit code."""
        try:
            return self._run()
        except BaseException:
            self._abandon()
            raise
        finally:
            self._wire.close()
            self._writer.release()

    def _abandon(self) -> None:
        """Nobody reads any more, or worse: what is known is written down, and nothing more is sent."""
        if self._creating is not None and self._job.awaits_answer and not self._creating.withhold():
            self._job.outcome = "unknown"
        self._writer.note(self._job.outcome, self._job.generation_id, self._job.status, self._job.state)

    def _run(self) -> int:
        self._console.on_signal = lambda number: self._inbox.put(Signal(number))
        self._console.emit(
            "start",
            script=self._console.script,
            provider=self._provider.name,
            model=self._model,
            url=self._connection.base_url + self._first_path(),
            mode=self._mode,
            job=self._writer.key,
        )
        self._console.about_job = self._about_job
        for code, message in self._warnings:
            self._console.warning(code, message)
        if self._resumes:
            reason, message = self._resumes
            self._console.emit("resumed", generation_id=self._job.generation_id, reason=reason, message=message)
        self._began_at = time.monotonic()
        actions = self._job.begin(self._began_at)
        while True:
            end = self._carry_out(actions)
            if end is not None:
                return self._finish(end)
            actions = self._next()

    @property
    def _mode(self) -> str:
        """How the result is waited for."""
        if self._wire.source:
            return self._wire.source
        if self._path and self._terms.stream:
            return "sse_then_poll_fallback"
        return "synchronous" if self._path and self._provider.answers_when_done else "poll"

    def _first_path(self) -> str:
        if self._job.generation_id:
            return self._provider.read_path(self._job.generation_id)
        return self._path or self._provider.running_path

    # -- what was seen -----------------------------------------------------------------------------

    def _next(self) -> list:
        pause = min(max(self._job.wake_at - time.monotonic(), 0.0), _LONGEST_WAIT)
        seen = self._inbox.take(pause)
        now = time.monotonic()
        if seen is None:
            self._show_status()
            return self._job.tick(now, self._is_sent(now))
        if isinstance(seen, Signal):
            return self._job.interrupted(now, seen.number, self._is_sent(now, True))
        if seen.sender is self._listing and self._listing is not None:
            return self._take_listing(now, seen.content)
        if seen.sender is not self._exchange:
            return []  # from a request that was given up
        # A server that never falls silent must not keep the clock from being looked at.
        return self._take(now, seen) or self._job.tick(now)

    def _is_sent(self, now: float, stopping: bool = False) -> bool:
        """Whether the POST under way has left; at its limits it is withheld first, so that it cannot leave after."""
        if self._creating is None:
            return False
        if stopping or now >= self._job.give_up_at:
            return not self._creating.withhold()
        return self._creating.sent

    def _take(self, now: float, seen: Message) -> list:
        content, is_create = seen.content, seen.sender is self._creating
        if isinstance(content, transport.StreamOpened):
            return self._job.stream_opened(now, content.status)
        if isinstance(content, transport.StreamChunk):
            return self._take_chunk(now, seen.sender, content)
        if isinstance(content, transport.StreamEnded):
            return self._take_end(now, content.reason, content.message)
        if isinstance(content, transport.Lost):
            return self._take_lost(now, content, is_create)
        return self._take_answer(now, content, is_create)

    def _take_lost(self, now: float, lost: transport.Lost, is_create: bool) -> list:
        job, message = self._job, self._console.plain(lost.message)
        if not is_create:
            return job.poll_lost(now, message)
        if self._writer.refusal and not lost.sent:
            if job.outcome != "unknown":
                raise entries.unusable(self._writer.refusal)
            message = self._console.plain(self._writer.refusal.message)
        if lost.sent:
            repeatable = self._provider.verdict(0, None, own_key=self._own_key).repeatable
            return job.create_lost(now, message, repeatable)
        return job.create_not_sent(now, message)

    def _take_answer(self, now: float, answer: transport.Answer, is_create: bool) -> list:
        body, problem = providers.read_json(answer.content)
        reading = self._provider.reading(body, is_create)
        found = self._provider.verdict(answer.status, body, problem, answer.headers, self._own_key)
        says_no = problem or answer.status >= 300 or not self._provider.says_success(body)
        message = self._console.plain(found.message) if says_no else ""
        self._trace_id = self._provider.trace_id(body) or self._trace_id
        self._advice = found.advice
        outcome = found.outcome or errors.outcome_of_status(answer.status, reading.id is not None)
        if is_create and self._own_key and not found.repeatable and outcome == "unknown":
            self._writer.never_again()
        retry_after = found.retry_after if answer.retry_after is None else answer.retry_after
        if is_create:
            location = answer.headers.get("Location", "").partition("?")[0]
            return self._job.create_answered(
                now, answer.status, reading, found.category, message, retry_after, self._console.plain(location, 100),
                found.outcome, found.repeatable,
            )  # fmt: skip
        return self._job.poll_answered(now, answer.status, reading, found.category, message, retry_after)

    @property
    def _own_key(self) -> str | None:
        """The idempotency key that the create carries, where the service takes one."""
        rules = self._provider.idempotency
        return self._sent_with.get(rules["field"]) if rules else None

    @property
    def _key_lives(self) -> bool:
        """Whether the idempotency key may still be used by the clock on the wall: the machine's own stands still in a
        suspended machine, and a clock that was set back tells nothing."""
        return 0 <= time.time() - self._asked_at < self._terms.repeats_for

    def _take_listing(self, now: float, seen: transport.Answer | transport.Lost) -> list:
        """The list of unfinished jobs came, or did not: of those like this one, the ids that nobody has."""
        self._listing = None
        matches = None
        if isinstance(seen, transport.Answer) and 200 <= seen.status < 300:
            body, _ = providers.read_json(seen.content)
            matches = self._provider.running_matches(body, self._payload)
        if matches and self._job.generation_id is None and not self._job.ended:
            matches = self._writer.attach(matches)
        return self._job.listed(now, matches)

    def _take_chunk(self, now: float, exchange: transport.Exchange, seen: transport.StreamChunk) -> list:
        actions = []
        try:
            for event in self._decoder.feed(seen.content):
                actions += self._take_event(now, event)
                if self._job.ended:
                    break
        except sse.EventTooLarge as problem:
            actions += self._job.stream_ended(now, "malformed", str(problem))
        exchange.taken()
        return actions

    def _take_event(self, now: float, event: sse.Event) -> list:
        if event.data.strip() == "[DONE]":
            return self._job.stream_ended(now, "eof")
        body, problem = providers.read_json(event.data.encode("utf-8", "replace"))
        if problem and event.data:
            return self._job.stream_said(now, event.name, None, self._console.plain(event.data, 100))
        reading = self._provider.reading(body)
        message = "" if reading.status else self._console.plain(self._provider.error(body)[1])
        return self._job.stream_said(now, event.name, reading, message)

    def _take_end(self, now: float, reason: str, message: str) -> list:
        if self._job.generation_id is None and self._decoder.pending:
            # An id in an event that the cut left unfinished is still the id of a job that was bought;
            # what else the event says is not to be trusted.
            body, _ = providers.read_json(self._decoder.pending.encode("utf-8", "replace"))
            found = self._provider.reading(body)
            if found.id:
                said = self._job.stream_said(now, "message", found._replace(status=None, state=None))
                return said + self._job.stream_ended(now, reason, message)
        return self._job.stream_ended(now, reason, message)

    # -- what to do ----------------------------------------------------------------------------------

    def _write_down(self) -> None:
        # While a POST is out, the ledger's own word for it stands.
        if not self._job.awaits_answer:
            self._writer.note(self._job.outcome, self._job.generation_id, self._job.status, self._job.state)

    def _carry_out(self, actions: list) -> lifecycle.End | None:
        self._write_down()
        for action in actions:
            if isinstance(action, lifecycle.Say):
                self._say(action)
            elif isinstance(action, lifecycle.Create):
                if self._job.outcome == "unknown" and not self._key_lives:
                    words = "the time of its idempotency key is over"
                    return self._carry_out(self._job.create_not_sent(time.monotonic(), words))
                self._decoder = sse.Decoder()
                self._exchange = self._creating = None  # nothing is out while the body is made
                body = self._body({**self._payload, **self._sent_with})
                self._exchange = self._creating = self._wire.post(
                    self._path,
                    body,
                    self._terms.create_timeout,
                    self._terms.stream,
                    self._writer.before_sending,
                )
            elif isinstance(action, lifecycle.Reconcile):
                self._listing = self._wire.get(self._provider.running_path, lifecycle.RECONCILE_TIMEOUT)
            elif isinstance(action, lifecycle.Poll):
                self._leave()
                self._exchange = self._wire.get(
                    self._provider.read_path(self._job.generation_id), self._terms.poll_request_timeout
                )
            elif isinstance(action, lifecycle.Leave):
                self._leave()
            else:
                return action
        return None

    def _leave(self) -> None:
        if self._exchange is not None:
            self._exchange.leave()
        self._exchange = self._creating = None

    def _say(self, said: lifecycle.Say) -> None:
        if said.event == "warning":
            return self._console.warning(**said.fields)
        more = {"usage": self._provider.usage(said.reading.body)} if said.reading else {}
        if said.event == "submitted":
            more["job"] = self._writer.key
        return self._console.emit(said.event, **said.fields, **more)

    def _show_status(self) -> None:
        elapsed = time.monotonic() - self._began_at
        words = (f"{elapsed:.0f} s", self._job.status or "waiting", self._model, self._job.generation_id)
        self._console.status("  ".join(word for word in words if word))

    # -- how it ends ---------------------------------------------------------------------------------

    def _finish(self, end: lifecycle.End) -> int:
        self._leave()
        if end.event == "terminal":
            code, delivered = self._finish_terminal(end)
        else:
            code, delivered = self._finish_early(end), False
        self._writer.ended(code, delivered)
        return code

    def _finish_early(self, end: lifecycle.End) -> int:
        fields = dict(end.fields)
        if end.event == "submitted":
            fields["usage"] = self._provider.usage(end.reading.body) if end.reading else None
        fields.update(self._way_on(), trace_id=self._trace_id)
        if end.failure is None:
            return self._console.result(end.event, end.exit_code, **fields)
        if end.failure.category == "not_found" and self._job.generation_id:
            self._writer.gone()
        category = end.failure.category
        guidance = self._provider.guidance(category) if category != "guard" else []
        guidance = [
            *self._advice,
            *guidance,
            *(self._provider.looking_guidance if category == "outcome_unknown" else ()),
        ]
        end.failure.fields.setdefault("guidance", guidance)
        return self._console.failure(end.failure, **fields)

    def _about_job(self) -> dict:
        """What must not be lost whatever goes wrong."""
        return {"outcome": self._job.outcome, **self._way_on()}

    def _way_on(self, action: str = "resume") -> dict:
        """The id, the job's key in the ledger, and the command that goes on with it."""
        found, key = self._job.generation_id, self._writer.key
        known = {name: value for name, value in (("generation_id", found), ("job", key)) if value}
        where = self._connection.chosen
        saving = []
        if self._output_dir is not None:
            saving = ["--output-dir", os.path.abspath(self._output_dir), *self._saving.flags]
        if key and found:
            return {**known, **command_line("jobs.py", action, key, *where, *saving)}
        if key and self._job.outcome == "unknown":
            return {**known, **command_line("jobs.py", "reconcile", key, *where, *saving)}
        # An id that holds the key would carry it into a command line.
        if found and _PASTEABLE_ID.fullmatch(found) and self._console.redactor.text(found) == found:
            return {**known, **command_line("wait_generation.py", "--generation-id", found, *where, *saving)}
        return known

    def _finish_terminal(self, end: lifecycle.End) -> tuple[int, bool]:
        """The exit code, and whether the job is delivered: a `terminal` was written, and nothing is missing."""
        body = end.reading.body
        self._writer.billed(self._provider.cost(body), self._provider.usage(body))
        outputs = self._provider.outputs(body)
        code, assets, problem = end.exit_code, None, None
        if end.fields["ok"] and self._output_dir is not None:
            wanted = outputs or self._written_result(body)
            self._keeper = provenance.Keeper(self._console, self._saving, self._facts(body), wanted)
            assets, problem = self._save(wanted)
            self._writer.saved(assets)
            if isinstance(problem, int):
                fields = {"outcome": "accepted", "assets": assets, **self._way_on()}
                return self._console.result("interrupted", 128 + problem, **fields), False
        error = {"code": "saving_failed", "message": problem} if problem else None
        if not end.fields["ok"]:
            words = self._provider.failure(body)
            error = {"code": words[0], "message": self._console.plain(words[1])} if any(words) else None
        fields = {
            "ok": end.fields["ok"],
            "source": self._wire.source or end.fields["source"],
            "provider": self._provider.name,
            "model": self._model,
            "generation_id": self._job.generation_id,
            "job": self._writer.key,
            "status": end.fields["status"],
            "state": end.fields["state"],
            "outputs": [shown(self._console, output) for output in outputs[:_MOST_OUTPUTS]],
            "outputs_omitted": len(outputs) - _MOST_OUTPUTS if len(outputs) > _MOST_OUTPUTS else None,
            "assets": assets,
            "usage": self._provider.usage(body),
            "error": error,
            "elapsed_seconds": round(time.monotonic() - self._began_at, 3),
            "trace_id": self._trace_id,
            **_response(body),
        }
        if self._provider.names:
            fields["mode_used"] = self._wire.source or "rest"
        fields.update(
            {name: fields[ours] for name, ours in self._provider.names.items() if fields.get(ours) is not None}
        )
        if problem:
            fields.update(self._way_on("download"))
        return self._console.result("terminal", 26 if problem else code, **fields), not problem

    def _written_result(self, body) -> list[dict]:
        """The result of a model that makes words, where no file holds it: what the answer itself says."""
        result = self._provider.result(body)
        if result is None or catalogue.entry(self._provider.speaks, self._model).get("media") != "text":
            return []
        content = base64.b64encode(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace")).decode()
        return [{"url": f"data:application/json;base64,{content}", "type": "document"}]

    def _facts(self, body) -> dict:
        """What provenance tells of this job."""
        entry, cost = self._writer.entry, self._provider.cost(body)
        payload = self._noted
        if entry:
            payload = json.loads(entry.payload) if entry.payload else None
        return {
            "provider": self._provider.name,
            "speaks": self._provider.speaks if self._provider.embedded else None,
            "model": self._model,
            "task": self._saving.task or catalogue.only_task(self._provider.speaks, self._model),
            "payload": payload,
            "job": self._writer.key,
            "generation_id": self._job.generation_id,
            "cost": cost.shown if cost else None,
            "usage": self._provider.usage(body),
            "created_at": entry.created_at if entry else self._asked_at,
            "finished_at": time.time(),
        }

    def _save(self, outputs: list[dict]) -> tuple[list[dict], str | int | None]:
        """The files that are on disk, and a problem in words or the number of the signal that came."""
        saver = self._saver()
        saver.start(outputs)
        try:
            return self._wait_for_files(saver)
        except BaseException:
            saver.stop()  # nobody reads any more: no half file is left behind
            raise

    def _wait_for_files(self, saver: save.Saver) -> tuple[list[dict], str | int | None]:
        assets: list[dict] = []
        stop_at = time.monotonic() + self._saving.budget.limits.seconds
        stop_at = min(stop_at, self._began_at + (self._terms.deadline or float("inf")))
        while time.monotonic() < stop_at:
            seen = self._inbox.take(_LONGEST_WAIT)
            if isinstance(seen, Signal):
                return self._stop_saving(saver, assets), seen.number
            if seen and seen.sender is saver and isinstance(seen.content, save.SavingEnded):
                return assets, seen.content.problem
            if seen:
                self._take_saving(saver, seen, assets)
        return self._stop_saving(saver, assets), "the time for it was used up (--download-timeout, --deadline)"

    def _saver(self) -> save.Saver:
        if self._saving.allows_private:
            words = "--allow-private-network: a result's link can reach into this machine's own network"
            self._console.warning("private_network_allowed", words)
        name = names.FileName(
            self._saving.template,
            time.time(),
            service=self._provider.name,
            model=self._model or "job",
            task=self._saving.task,
            job=self._writer.key,
        )
        base, finishing = self._connection.loopback_base, self._keeper.finishing
        return save.Saver(self._output_dir, name, base, self._inbox, self._saving, finishing)

    def _take_saving(self, saver: save.Saver, seen: Message, assets: list[dict]) -> None:
        """What a saver reports while it is at work, and what the job says that it asks for."""
        content = seen.content
        if seen.sender is self._exchange and isinstance(content, transport.Answer):
            body, _ = providers.read_json(content.content)
            saver.renew(self._provider.outputs(body) if 200 <= content.status < 300 else None)
        elif seen.sender is self._exchange:
            saver.renew(None)
        elif seen.sender is not saver:
            return  # from a request that was given up
        elif isinstance(content, save.AssetSaved):
            asset = content.asset if content.kept else self._keeper.keep(content.asset, content.output)
            assets.append(asset)
            self._console.emit("asset", **asset)
            self._keeper.show(asset)
        elif isinstance(content, save.Noticed):
            self._console.warning(content.code, content.message)
        elif isinstance(content, save.Retrying):
            self._console.emit("retry", **told_retry(content))
        elif isinstance(content, save.LinkExpired):
            path = self._provider.read_path(self._job.generation_id)
            self._exchange = self._wire.get(path, self._terms.poll_request_timeout)

    def _stop_saving(self, saver: save.Saver, assets: list[dict]) -> list[dict]:
        """All files that are on disk, with those that were told while it was stopped."""
        saver.stop()
        while seen := self._inbox.take(0):
            if isinstance(seen, Message):
                self._take_saving(saver, seen, assets)
        return assets


def told_retry(retrying: save.Retrying) -> dict:
    """As a `retry` event tells it."""
    return {
        "what": retrying.what,
        "attempt": retrying.attempt,
        "retry_in_seconds": retrying.seconds,
        "message": retrying.message,
    }


def shown(console: Console, output: dict) -> dict:
    """An output as an event tells it: without a URL that is longer than an event should be."""
    if len(output["url"]) <= _LONGEST_URL:
        return output
    return {**output, "url": console.plain(output["url"], 64), "url_omitted": True}


def _response(body) -> dict:
    if len(to_line({"response": body}).encode()) > _LARGEST_RESPONSE:
        return {"response_omitted": True}
    return {"response": body}


def tracer(console: Console, path: str):
    """A callable that appends one record to the trace file, without secrets and of bounded size.

    It never raises: what cannot be written down must not cost the answer that it was about.
    """
    from ..base.errors import bad_argument

    try:
        # A pipe that nobody reads is refused, and not waited for.
        handle = os.open(
            paths.expand(path), os.O_CREAT | os.O_APPEND | os.O_WRONLY | getattr(os, "O_NONBLOCK", 0), 0o600
        )
    except OSError as problem:
        raise bad_argument("--trace", f"expected a file that can be written: {problem.strerror}") from None

    unfinished = b""
    has_failed = False

    def readable(value) -> str:
        return console.redactor.text(value.decode("utf-8", "replace"))[:_LARGEST_TRACED]

    def record(what: dict) -> None:
        nonlocal unfinished, has_failed
        if has_failed:
            return
        if "chunk" in what:
            # A secret that two chunks share would not be recognised in either: only whole lines are kept.
            whole, newline, unfinished = (unfinished + what["chunk"]).rpartition(b"\n")
            what = {"chunk": whole + newline}
        text = console.redactor.text(json.dumps(what, default=readable))
        try:
            os.write(handle, (text + "\n").encode("utf-8", "replace"))
        except OSError as problem:
            has_failed = True
            console.say(f"warning: the trace ends here, it cannot be written: {problem.strerror}")

    return record
