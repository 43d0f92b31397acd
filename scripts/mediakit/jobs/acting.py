"""One action of an account that is carried out: sent, judged, told, and for one that spends written down.

Acting   of one action

It is bought as a job is: its intent is written down first, caps count, it is sent once, and an outcome that
nobody knows is never repeated.
"""

from __future__ import annotations

import time

from ..base import errors
from ..base.inbox import Inbox
from ..base.pointer import first, point
from ..base.record import record, replace
from ..base.retry import Backoff
from ..console.commands import command_line
from ..http import addresses
from ..http.answers import Answer, Lost
from ..http.exchange import Exchange
from ..http.wire import answer_of
from ..ledger import entries, refusals
from ..media import names, save
from ..services import actions, keys
from ..services.answers import outputs_at
from . import purchase
from .context import Context
from .delivery import Files
from .judging import Judge
from .price import Spending
from .request import CheckedRequest
from .standing import READ_TIMEOUT, bounded

PAYING_TIMEOUT = 120.0

# A read that fails in passing is repeated twice.
_READ_ATTEMPTS = 3
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_LONGEST_URL = 2048


@record
class ActionFlags:
    """Each field is the flag of the same name of account.py; `param` are its NAME=VALUE words."""

    confirm: bool = False
    request_timeout: float | None = None
    output_dir: str | None = None
    persist_key: bool = False
    show_token: bool = False
    replace_key: bool = False
    param: tuple[str, ...] = ()


class Acting:
    """Carries one action out.

    asked  what is sent
    """

    def __init__(
        self,
        context: Context,
        action: actions.Action,
        asked: actions.Request,
        flags: ActionFlags,
        spending: Spending,
    ):
        self._context = context
        self._console = context.console
        self._provider = context.connection.provider
        self._action = action
        self._asked = asked
        self._flags = flags
        self._spending = spending
        self._judge = Judge(context.console, context.connection, action, asked, flags.show_token)
        self._inbox = Inbox()
        self._exchange: Exchange | None = None
        self._outputs: list[dict] | None = None
        self._writer = entries.Writer(context.console)
        self._seconds = flags.request_timeout or (PAYING_TIMEOUT if self._judge.pays else READ_TIMEOUT)

    def run(self) -> int:
        """Returns the exit code; raises Failure."""
        if self._action.effect == "spends":
            self._writer = self._claimed()
        self._console.about_job = self._about
        try:
            self._announce()
            answer, body = self._judge.success(self._answered())
            self._outputs = outputs_at(body, self._action.outputs, self._action.output_type)
            self._writer.note("accepted", None, None, None)
            code = self._tell(answer, body)
            self._writer.ended(code, delivered=True)
            return code
        except errors.Failure as failure:
            self._writer.note(failure.fields.get("outcome", "unknown"), None, None, None)
            self._writer.ended(failure.exit_code, delivered=False)
            raise
        except BaseException:
            self._writer.note(self._outcome, None, None, None)
            raise
        finally:
            self._writer.release()

    def _claimed(self) -> entries.Writer:
        """The intent in the ledger; raises Failure 27 where a cap, or an earlier one, refuses."""
        wanted = CheckedRequest(
            self._asked.body or {}, {}, {}, self._provider, self._action.name, self._asked.path, False
        )
        spending = replace(self._spending, no_store_payload=True)
        decision = purchase.claim(self._context, wanted, spending, self._seconds, plans=False)[0].decision
        if decision.word == "unknown":
            raise refusals.duplicate_unknown(decision.job, self._provider.advice.looking)
        if decision.word != "buy":
            raise errors.Failure(
                "purchase_under_way",
                "another command has just bought the same, and its result was told there",
                "guard",
                outcome="not_sent",
                retryable=False,
                job=decision.job.key,
                guidance=refusals.another(),
            )
        return entries.Writer(self._console, decision.ledger, decision.entry)

    # -- sending -------------------------------------------------------------------------------------

    @property
    def _base_url(self) -> str:
        base_url = self._context.connection.base_url
        return addresses.above(base_url, self._provider.base_path) if self._action.at_origin else base_url

    def _announce(self) -> None:
        """Tell what a process that is killed from here on would take with it."""
        if self._judge.pays:
            self._console.emit(
                "start",
                script=self._console.script,
                provider=self._provider.name,
                action=self._action.name,
                effect=self._action.effect,
                url=self._base_url + self._asked.path,
                mode="once",
                job=self._writer.key,
                idempotency_key=self._asked.idempotency_key,
            )

    def _answered(self) -> Answer | Lost:
        """The answer; only a read is ever repeated."""
        pauses = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        attempts = _READ_ATTEMPTS if self._action.method == "GET" else 1
        for attempt in range(1, attempts):
            answer = self._sent()
            message, wait = self._judge.passing(answer)
            wait = max(pauses.next(), wait or 0.0)
            if message is None or wait > _LONGEST_PAUSE:
                return answer
            self._console.retry("read", attempt, round(wait, 3), message)
            time.sleep(wait)
        return self._sent()

    def _sent(self) -> Answer | Lost:
        wire = replace(self._context.connection, base_url=self._base_url).http(self._inbox)
        path, seconds = self._asked.path, self._seconds
        if self._action.method == "POST" and self._asked.body is None:
            self._exchange = wire.send("POST", path, seconds)
        elif self._action.method == "POST":
            on_sending = self._writer.before_sending
            self._exchange = wire.post(path, self._asked.body, seconds, stream=False, on_sending=on_sending)
        else:
            self._exchange = {"GET": wire.get, "DELETE": wire.delete}[self._action.method](path, seconds)
        answer = answer_of(self._exchange, self._inbox, seconds)
        if self._writer.refusal and isinstance(answer, Lost) and not answer.sent:
            raise self._writer.refusal.failure()
        return answer

    # -- telling -------------------------------------------------------------------------------------

    @property
    def _outcome(self) -> str:
        """What became of a request that pays; asking keeps it from being sent later."""
        if self._outputs is not None:
            return "accepted"
        return "not_sent" if self._exchange is None or self._exchange.withhold() else "unknown"

    def _about(self) -> dict:
        """What must not be lost whatever goes wrong."""
        outcome, job = self._outcome if self._judge.pays else None, self._writer.key
        key = self._asked.idempotency_key
        known = {"outcome": outcome, "job": job, "idempotency_key": key, "outputs": self._outputs or None}
        way_on = {}
        if job and outcome == "unknown":
            way_on = command_line("jobs.py", "reconcile", job, *self._context.connection.chosen)
        return {**{name: value for name, value in known.items() if value}, **way_on}

    def _tell(self, answer: Answer, body) -> int:
        fields = self._keep_key(body) if self._action.issues_key else {}
        assets, problem = None, fields.pop("problem", None)
        if self._flags.output_dir is not None:
            assets, problem = self._save(self._flags.output_dir)
        handoff = _address(first(body, self._action.handoff)) if self._action.handoff else None
        told = point(body, self._action.answer)
        return self._console.result(
            "account",
            26 if problem else 0,
            provider=self._provider.name,
            action=self._action.name,
            effect=self._action.effect,
            http_status=answer.status,
            job=self._writer.key,
            idempotency_key=self._asked.idempotency_key,
            payment_url=handoff,
            outputs=self._outputs or None,
            assets=assets,
            **bounded(_without(body if told is None else told, self._action.leave_out)),
            trace_id=self._provider.refusals.trace_id(body),
            message=problem or ("Nothing was paid here; somebody settles it at payment_url." if handoff else None),
            **fields,
        )

    def _keep_key(self, body) -> dict:
        """Store the new key, or let it be shown, as the flags say."""
        if not self._flags.persist_key:
            return {"key_stored": False}
        wanted, key = self._provider.key, self._judge.key_in(body)
        assert wanted is not None and key is not None, "judged before: the answer holds a key of a service with keys"
        try:
            keys.persist(wanted["variable"], key)
        except OSError as problem:
            return {"key_stored": False, "problem": f"the new key could not be kept: {problem.strerror}"}
        return {"key_stored": True, **command_line("preflight.py", *self._context.connection.chosen, "--online")}

    def _save(self, folder: str) -> tuple[list[dict], str | None]:
        """The files that are on disk, and what went wrong in words."""
        name = names.FileName(names.DEFAULT, time.time(), service=self._provider.name, model=self._action.name)
        saver = save.Saver(save.SaveRequest(folder, name, self._context.connection.loopback_base), self._inbox)
        # There is no job that could be asked for a fresh address.
        files = Files(self._console, saver, lambda: saver.renew(None))
        files.start(self._outputs or [])
        try:
            while files.ended is None:
                files.take(self._inbox.take())
        except BaseException:
            files.abandon()
            raise
        self._writer.saved(files.assets)
        return files.assets, files.ended.problem


def _without(told, pointers: list[str]):
    """What is told without the names at some pointers, which are secrets of their own."""
    if not (pointers and isinstance(told, dict)):
        return told
    return {name: value for name, value in told.items() if f"/{name}" not in pointers}


def _address(found) -> str | None:
    """An https address that may be told to somebody; None for anything else."""
    try:
        fits = isinstance(found, str) and len(found) <= _LONGEST_URL and addresses.origin_of(found)[0] == "https"
    except ValueError:
        return None
    return found if fits else None
