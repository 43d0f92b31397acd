"""What else can be done with an account, and whether its key is good.

    services   every service with the names of its actions, as an event
    listing    the actions of one service, as an event
    run        one action, from the parsed flags to its result
    standing   what a service says of a key, by reads only

An action that spends is bought as a job is: its intent is written down first, caps count, it is sent
once, and an outcome that nobody knows is never repeated. Nothing here takes the data of a card, a wallet
or a seed phrase: a payment is opened, and where somebody goes on with it is told.
"""

from __future__ import annotations

import time
from collections import namedtuple

from ..base import codes, errors
from ..base.inbox import Inbox
from ..base.text import is_flat, to_line
from ..console import Console
from ..console.commands import command_line
from ..http import transport
from ..ledger import entries, fallbacks
from ..media import names, save
from ..services import actions, keys, providers
from . import options, plan, purchase, request, runner

READ_TIMEOUT = 20.0
PAYING_TIMEOUT = 120.0
LARGEST_ANSWER = 64 * 1024

# A read that fails in passing is repeated after so many seconds each.
_PAUSES = (0.5, 1.5)
_LONGEST_PAUSE = 10.0
_LONGEST_URL = 2048
_SHORTEST_KEY = 8

# Flags that only an action with a certain trait has a use for: flag -> (trait of Action, what it has to do).
_ONLY_WITH = {
    **dict.fromkeys(("persist_key", "show_token", "replace_key"), ("issues_key", "issues a key")),
    "output_dir": ("outputs", "makes a file"),
    **dict.fromkeys(
        ("intent", "allow_duplicate", "retry_unknown", "max_spend", "accept_unknown_cost", "require_ledger"),
        ("spends", "spends"),
    ),
}

# accepted is None where the service could not be asked, or did not say.
Standing = namedtuple("Standing", "accepted http_status category message trace_id")


# -- looking ---------------------------------------------------------------------------------------------


def services(console: Console) -> int:
    """The result of a command that names no service."""
    known = [providers.load(name) for name in providers.names()]
    rows = [{"provider": one.name, "title": one.title, "actions": list(one.actions)} for one in known]
    return console.result("services", 0, services=rows)


def listing(console: Console, provider: providers.Provider) -> int:
    """The result of a command that names no action."""
    rows = [action.shown for action in actions.every(provider)]
    return console.result("actions", 0, provider=provider.name, actions=rows)


# -- doing -----------------------------------------------------------------------------------------------


def run(console: Console, arguments) -> int:
    """Carry one action out; returns the exit code. Raises Failure."""
    provider = options.provider_of(arguments, arguments.service)
    action = actions.find(provider, arguments.action)
    asked = action.request(arguments.param)
    _check_flags(arguments, action)
    if action.asks and not arguments.confirm:
        return _show_plan(console, arguments, provider, action, asked)
    if action.issues_key:
        _check_store(arguments, provider)
    with_key = _sends_key(arguments, provider, action)
    connection = options.connect(console, arguments, provider.name, with_key)
    return _Doing(console, arguments, connection, action, asked).run()


def _check_flags(arguments, action: actions.Action) -> None:
    has = {"issues_key": action.issues_key, "outputs": action.outputs, "spends": action.effect == "spends"}
    for name, (trait, words) in _ONLY_WITH.items():
        if getattr(arguments, name) not in (None, False) and not has[trait]:
            raise errors.bad_argument("--" + name.replace("_", "-"), f"expected with an action that {words}")
    if arguments.key_stdin and action.key == "unneeded":
        raise errors.bad_argument("--key-stdin", f"{action.name} is asked without a key")
    if arguments.confirm and not action.asks:
        raise errors.bad_argument("--confirm", f"{action.name} needs none")


def _check_store(arguments, provider: providers.Provider) -> None:
    """Refuse to ask for a key that would be lost, or that would make another one be lost."""
    if not (arguments.persist_key or arguments.show_token):
        raise errors.bad_argument(
            "--persist-key",
            "expected, or --show-token: the service tells the new key once, and it would be lost",
            "--persist-key keeps it for this user; --show-token writes it into the result, once.",
        )
    if not arguments.persist_key:
        return
    if provider.key is None:
        raise errors.bad_argument("--persist-key", f"expected a service with a key; {provider.title} needs none")
    if not keys.can_persist():
        raise errors.bad_argument("--persist-key", "the user's store cannot be written")
    if keys.stored(provider.key["variable"]) and not arguments.replace_key:
        raise errors.Failure(
            "key_exists",
            f"the user's own store holds a key for {provider.title} already; what it owns would be lost with it",
            "guard",
            outcome="not_sent",
            retryable=False,
            guidance=["Use that key, or add --replace-key to give it up.", "--show-token keeps both."],
        )


def _sends_key(arguments, provider: providers.Provider, action: actions.Action) -> bool:
    if provider.key is None or action.key != "unknown":
        return action.key == "needed"
    # No source says whether it needs one, and its own service may see it: it is sent where there is one.
    return arguments.key_stdin or keys.find(provider.key) is not None


def _show_plan(console: Console, arguments, provider, action: actions.Action, asked: actions.Request) -> int:
    """What would be done, without asking anybody."""
    base_url = plan.address(arguments, provider)
    if action.at_origin:
        base_url = transport.above(base_url, provider.base_path) if base_url else ""
    elif base_url is None:
        base_url = provider.base_path
    sent = {"method": action.method, "url": base_url + asked.path}
    if asked.body is not None:
        sent.update(content_type="application/json", body=asked.body)
    return console.result(
        "plan",
        0,
        provider=provider.name,
        action=action.name,
        request=sent,
        effect="no_spend",
        effect_when_confirmed=action.effect,
        idempotency_key=asked.idempotency_key,
        message=f"Nothing was sent. {action.asks} To do it, run the same with --confirm.",
    )


class _Doing:
    """One action that is carried out: sent, judged, told, and for one that spends written down."""

    def __init__(self, console: Console, arguments, connection: options.Connection, action: actions.Action, asked):
        self._console = console
        self._arguments = arguments
        self._connection = connection
        self._provider = connection.provider
        self._action = action
        self._asked = asked
        self._pays = action.effect != "no_spend"
        self._inbox = Inbox()
        self._exchange: transport.Exchange | None = None
        self._outputs: list[dict] | None = None
        self._writer = entries.Writer(console)
        usual = PAYING_TIMEOUT if self._pays else READ_TIMEOUT
        self._seconds: float = arguments.request_timeout or usual

    def run(self) -> int:
        if self._action.effect == "spends":
            self._writer = self._claimed()
        self._console.about_job = self._about
        try:
            self._announce()
            answer, body = self._judged(self._answered())
            self._outputs = providers.outputs_at(body, self._action.outputs, self._action.output_type)
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

    @property
    def _base_url(self) -> str:
        base_url = self._connection.base_url
        return transport.above(base_url, self._provider.base_path) if self._action.at_origin else base_url

    def _announce(self) -> None:
        """Tell what a process that is killed from here on would take with it."""
        if self._pays:
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

    def _claimed(self) -> entries.Writer:
        """The intent in the ledger; raises Failure 27 where a cap, or an earlier one, refuses."""
        from copy import copy

        flags = copy(self._arguments)
        flags.copies, flags.no_store_payload, flags.deadline = 1, True, None
        flags.sse_request_timeout = self._seconds
        wanted = request.Request(self._provider.name, self._action.name, self._asked.path, False, self._asked.body)
        ledger = fallbacks.open_ledger(self._console, flags.require_ledger, self._connection.embedded)
        decision = purchase.claim(self._console, flags, wanted, self._connection, ledger, plans=False)[0]
        if decision.word == "unknown":
            raise entries.duplicate_unknown(decision.entry, self._provider.looking_guidance)
        if decision.word != "buy":
            raise errors.Failure(
                "purchase_under_way",
                "another command has just bought the same, and its result was told there",
                "guard",
                outcome="not_sent",
                retryable=False,
                job=decision.entry.key,
                guidance=entries.another(),
            )
        return entries.Writer(self._console, ledger, decision.entry)

    @property
    def _outcome(self) -> str:
        """What became of a request that pays; asking keeps it from being sent later."""
        if self._outputs is not None:
            return "accepted"
        return "not_sent" if self._exchange is None or self._exchange.withhold() else "unknown"

    def _about(self) -> dict:
        """What must not be lost whatever goes wrong."""
        outcome, job = self._outcome if self._pays else None, self._writer.key
        key = self._asked.idempotency_key
        known = {"outcome": outcome, "job": job, "idempotency_key": key, "outputs": self._shown_outputs}
        way_on = {}
        if job and outcome == "unknown":
            way_on = command_line("jobs.py", "reconcile", job, *self._connection.chosen)
        return {**{name: value for name, value in known.items() if value}, **way_on}

    @property
    def _shown_outputs(self) -> list[dict] | None:
        return [runner.shown(self._console, output) for output in self._outputs or ()] or None

    # -- sending -------------------------------------------------------------------------------------

    def _answered(self) -> transport.Answer | transport.Lost:
        """The answer; only a read is ever repeated."""
        pauses = _PAUSES if self._action.method == "GET" else ()
        for attempt, pause in enumerate(pauses, 1):
            answer = self._sent()
            message, wait = self._passing(answer)
            wait = pause if wait is None else max(wait, pause)
            if message is None or wait > _LONGEST_PAUSE:
                return answer
            self._console.emit("retry", what="read", attempt=attempt, retry_in_seconds=wait, message=message)
            time.sleep(wait)
        return self._sent()

    def _sent(self) -> transport.Answer | transport.Lost:
        wire = transport.Wire(self._base_url, self._connection.authorisation, self._inbox)
        path, seconds = self._asked.path, self._seconds
        if self._action.method == "POST":
            on_sending = self._writer.before_sending
            self._exchange = wire.post(path, self._asked.body, seconds, stream=False, on_sending=on_sending)
        else:
            self._exchange = {"GET": wire.get, "DELETE": wire.delete}[self._action.method](path, seconds)
        return transport.answer_of(self._exchange, self._inbox, seconds)

    def _passing(self, answer) -> tuple[str | None, float | None]:
        """`(message, seconds to wait)` of a failure that may be over soon; message is None for anything else."""
        if isinstance(answer, transport.Lost):
            return answer.message, None
        body, words = providers.read_json(answer.content)
        if 200 <= answer.status < 300:
            return (self._console.plain(words), None) if words else (None, None)
        found = self._provider.verdict(answer.status, body, words, answer.headers)
        if found.category != "transient":
            return None, None
        wait = found.retry_after if answer.retry_after is None else answer.retry_after
        return f"HTTP {answer.status}: {self._console.plain(found.message)}", wait

    # -- judging -------------------------------------------------------------------------------------

    def _judged(self, answer) -> tuple[transport.Answer, object]:
        """`(answer, body)` of a success; raises Failure for everything else."""
        if isinstance(answer, transport.Lost):
            raise self._lost(answer)
        body, words = providers.read_json(answer.content)
        self._protect_key(body)
        if not (200 <= answer.status < 300 and self._provider.says_success(body, self._action.success)):
            raise self._refused(answer, body, words)
        shortcoming = self._shortcoming(body, words)
        if shortcoming:
            raise self._failed(*shortcoming, answer, body)
        return answer, body

    def _shortcoming(self, body, words: str) -> tuple[str, str, str] | None:
        """`(code, message, category)` of a success that is none; None for one that holds what it must."""
        action = self._action
        unknown = "outcome_unknown" if self._pays else "transient"
        if words:
            return "no_answer", f"the service answered with {self._console.plain(words)}", unknown
        if action.valid and providers.point(body, action.valid) is False:
            return "api_key_refused", "the service does not take this key", "auth"
        if action.outputs and not providers.outputs_at(body, action.outputs, action.output_type):
            return "no_answer", "the answer holds no result", "outcome_unknown"
        if action.issues_key and not self._key_in(body):
            return "no_answer", "the answer holds no key", "unknown"
        return None

    def _key_in(self, body) -> str | None:
        found = providers.point(body, self._action.issues_key)
        is_key = isinstance(found, str) and len(found) >= _SHORTEST_KEY and keys.is_usable(found)
        return found if is_key else None

    def _protect_key(self, body) -> None:
        """A new key is shown nowhere, not in the words of a refusal either, unless that is asked for."""
        key = self._key_in(body) if self._action.issues_key else None
        if key and not self._arguments.show_token:
            self._console.redactor.protect(key)

    def _lost(self, lost: transport.Lost) -> errors.Failure:
        if self._writer.refusal and not lost.sent:
            return entries.unusable(self._writer.refusal)
        if not lost.sent:
            return self._failed("request_not_sent", lost.message, "transient", outcome="not_sent")
        return self._failed("no_answer", lost.message, "outcome_unknown" if self._pays else "transient")

    def _refused(self, answer: transport.Answer, body, words: str) -> errors.Failure:
        found = self._provider.verdict(answer.status, body, words, answer.headers, self._asked.idempotency_key)
        message = f"HTTP {answer.status}: {self._console.plain(found.message)}"
        outcome = found.outcome or errors.outcome_of_status(answer.status, False)
        if self._pays and outcome == "unknown":
            return self._failed("no_answer", message, "outcome_unknown", answer, body)
        code = "api_key_refused" if found.category == "auth" and self._connection.key else "request_rejected"
        if answer.status in errors.REDIRECTED_STATUSES:
            code = "request_redirected"
        return self._failed(
            code, message, found.category, answer, body,
            outcome="rejected" if self._pays else None, guidance=found.advice,
        )  # fmt: skip

    def _failed(self, code, message, category, answer=None, body=None, outcome=None, guidance=()) -> errors.Failure:
        if category == "outcome_unknown":
            code, outcome = "outcome_unknown", "unknown"
            message = f"it was sent, and it is not known whether it was carried out: {message}"
        fields = {
            "provider": self._provider.name,
            "action": self._action.name,
            "effect": self._action.effect,
            "http_status": answer.status if answer else None,
            "trace_id": self._provider.trace_id(body),
            "outcome": outcome,
            "guidance": [*guidance, *self._guidance(category)],
            "retryable": category == "transient",
        }
        return errors.Failure(
            code, message, category, **{name: value for name, value in fields.items() if value is not None}
        )

    def _guidance(self, category: str) -> list[str]:
        usual = self._provider.guidance(category) if category in codes.CATEGORY_EXIT_CODES else []
        if category == "outcome_unknown" and self._asked.idempotency_key:
            again = (
                f"The same with --confirm and --param idempotency_key={self._asked.idempotency_key} is no second one."
            )
            return [*usual, again]
        return usual

    # -- telling -------------------------------------------------------------------------------------

    def _tell(self, answer: transport.Answer, body) -> int:
        fields = self._keep_key(body) if self._action.issues_key else {}
        assets, problem = None, fields.pop("problem", None)
        if self._arguments.output_dir is not None:
            assets, problem = self._save()
        handoff = _address(providers.first(body, self._action.handoff)) if self._action.handoff else None
        told = providers.point(body, self._action.answer)
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
            outputs=self._shown_outputs,
            assets=assets,
            **bounded(body if told is None else told),
            trace_id=self._provider.trace_id(body),
            message=problem or ("Nothing was paid here; somebody settles it at payment_url." if handoff else None),
            **fields,
        )

    def _keep_key(self, body) -> dict:
        """Store the new key, or let it be shown, as the flags say."""
        if not self._arguments.persist_key:
            return {"key_stored": False}
        try:
            keys.persist(self._provider.key["variable"], self._key_in(body))
        except OSError as problem:
            return {"key_stored": False, "problem": f"the new key could not be kept: {problem.strerror}"}
        return {"key_stored": True}

    def _save(self) -> tuple[list[dict], str | None]:
        """The files that are on disk, and what went wrong in words."""
        name = names.FileName(names.DEFAULT, time.time(), service=self._provider.name, model=self._action.name)
        saver = save.Saver(self._arguments.output_dir, name, self._connection.loopback_base, self._inbox)
        saver.start(self._outputs)
        try:
            return self._saved(saver)
        except BaseException:
            saver.stop()
            raise

    def _saved(self, saver: save.Saver) -> tuple[list[dict], str | None]:
        assets = []
        while not isinstance(seen := self._inbox.take().content, save.SavingEnded):
            if isinstance(seen, save.AssetSaved):
                assets.append(seen.asset)
                self._console.emit("asset", **seen.asset)
            elif isinstance(seen, save.Noticed):
                self._console.warning(seen.code, seen.message)
            elif isinstance(seen, save.Retrying):
                self._console.emit("retry", **runner.told_retry(seen))
            elif isinstance(seen, save.LinkExpired):
                saver.renew(None)  # there is no job that could be asked for a fresh address
        self._writer.saved(assets)
        return assets, seen.problem


def _address(found) -> str | None:
    """An https address that may be told to somebody; None for anything else."""
    try:
        fits = isinstance(found, str) and len(found) <= _LONGEST_URL and transport.origin_of(found)[0] == "https"
    except ValueError:
        return None
    return found if fits else None


def bounded(answer) -> dict:
    """`{answer}`, or that it is left out where it is more than an event should hold."""
    if not is_flat(answer):
        return {"answer_omitted": True}
    size = len(to_line({"answer": answer}).encode())
    return {"answer": answer} if size <= LARGEST_ANSWER else {"answer_omitted": True, "answer_bytes": size}


# -- the key ---------------------------------------------------------------------------------------------


def standing(console: Console, connection: options.Connection, path: str) -> tuple[Standing, object]:
    """What the service says to a read that needs the key: a Standing, and the body of its answer."""
    provider = connection.provider
    answer = transport.ask(connection.base_url, connection.authorisation, path, READ_TIMEOUT)
    if isinstance(answer, transport.Lost):
        return Standing(None, None, None, answer.message, None), None
    body, words = providers.read_json(answer.content)
    trace_id = provider.trace_id(body)
    if 200 <= answer.status < 300 and not words and provider.says_success(body):
        if provider.accepts_key(body):
            return Standing(True, answer.status, None, None, trace_id), body
        return Standing(False, answer.status, "auth", "the service says that the key is not valid", trace_id), body
    category, message = provider.category(answer.status, body, words, answer.headers)
    # An account without credits has been recognised by its key.
    accepted = {"auth": False, "insufficient_credits": True}.get(category)
    return Standing(accepted, answer.status, category, console.plain(message), trace_id), body


def check_path(provider: providers.Provider) -> str | None:
    """The path of a read that tells whether a key is taken; None where the service documents none."""
    return provider.key_check["path"] if provider.key_check else provider.balance_path
