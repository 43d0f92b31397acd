"""A service's own command-line program in place of its HTTP interface, as the descriptor's `cli` describes it.

    look_for      the Program of a service, or why there is none
    Program       one program at one address: what it says about itself
    ProgramWire   the surface of Wire: `post` and `get` run the program and report to an inbox

Once the program has been started for a create, only what it answers proves what became of it: however
else it ends, the outcome is unknown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from ..base import errors, programs, redactor
from ..base.pointer import point
from ..base.record import asdict
from ..base.text import is_number
from ..base.workers import in_a_thread
from ..http import addresses, process
from ..http.answers import Answer, Lost
from ..http.documents import read_json
from ..http.exchange import Exchange
from . import providers
from .keys import Key

# How long, in seconds, a question about the program itself may take.
QUESTION_TIMEOUT = 20.0
_SPARE = 5.0
_LONGEST_WORDS = 2000
_MOST_CHECKS = 20
# What names an account, and how long it must be to be found in other words without harm.
_ACCOUNT = frozenset("account accountid email login mail phone user userid username".split())
_SHORTEST_LOGIN = 6
_ENDING_GRACE = 0.5
# What the program printed is the body of a 2xx answer; which one it was, it does not tell.
_SOME_2XX = 200


def look_for(provider: providers.Provider, base_url: str) -> tuple[Program | None, str]:
    """`(program, "")`, or `(None, why there is none, in words)`.

    base_url  from addresses.resolve_base_url: the program gets the key, so the same rules hold
    """
    origin = base_url.removesuffix(provider.base_path)
    if urlsplit(origin).path or origin + provider.base_path != base_url:
        return None, f"{provider.cli['program']} takes no base URL but an origin and {provider.base_path}"
    path, told = programs.locate(provider.cli["program"], provider.cli["variable"])
    return (Program(provider, path, told, origin), "") if path else (None, told)


class Program:
    """One service's program.

    name          what it is called
    source        where its path was named: a variable, or the PATH
    is_logged_in  whether it has a login of its own; known once it was checked
    login_problem why its store of logins could not be read, in its words; "" where it could
    misses_proxy  whether the environment names a proxy to the service that it would not go through
    """

    def __init__(self, provider: providers.Provider, path: str, source: str, origin: str):
        self.provider = provider
        self.description: dict = provider.cli
        self.name: str = self.description["program"]
        self.path = path
        self.source = source
        self.is_logged_in = False
        self.login_problem = ""
        self._origin = origin
        self._own = redactor.Redactor()

    def environment(self, key: Key | None) -> dict[str, str]:
        """What it gets of this process's environment, and nothing of another service."""
        names = self.description["environment"]
        own = {names["origin"]: self._origin}
        if key is not None and key.value is not None:
            own[names["key"]] = key.value
        return process.environment(names.get("keep", ()), **own)

    def argv(self, command: str, **values: str) -> list[str]:
        """The words that run one of the descriptor's commands; `values` fill {model} and {id}."""
        words = self.description[command]["argv"]
        for name, value in values.items():
            words = [word.replace("{" + name + "}", value) for word in words]
        return [self.path, *words]

    def check(self, limit: float = QUESTION_TIMEOUT) -> str:
        """Why it cannot be used, in words, or "". Asks it for its login, `limit` seconds and without the network."""
        login = self.description["login"]
        body, ended = self._ask("login", None, limit)
        found = point(body, login["found"])
        if not isinstance(found, bool):
            return f"{self.name} is installed, but it does not work: {self._ending(ended)}"
        self.is_logged_in = found
        problem = point(body, login.get("problem", "/\0"))
        self.login_problem = self._shown(problem)[:_LONGEST_WORDS] if isinstance(problem, str) and not found else ""
        for value in _logins(body):
            self._own.protect(value)
        return ""

    def saved_login(self) -> Key | None:
        """The key that it has and keeps to itself."""
        return Key(None, f"the login of {self.name}") if self.is_logged_in else None

    def version(self) -> str | None:
        """The version it says it has."""
        _, ended = self._ask("version", None)
        words = ended.output.decode("utf-8", "replace").strip() if ended else ""
        found = re.search(self.description["version"]["pattern"], words)
        return self._shown(found[1])[:60] if found else None

    def doctor(self, key: Key | None) -> dict:
        """What its own check of itself, the key and the network says; reads only."""
        wanted = self.description["doctor"]
        body, ended = self._ask("doctor", key)
        passed = point(body, wanted["ok"])
        if not isinstance(passed, bool):
            return {"cli_doctor": "no_answer", "cli_checks": [{"ok": False, "detail": self._ending(ended)}]}
        listed = point(body, wanted["checks"])
        checks = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        told = [
            {name: self._shown(entry.get(name)) for name in ("name", "ok", "detail")} for entry in checks[:_MOST_CHECKS]
        ]
        return {"cli_doctor": "passed" if passed else "failed", "cli_checks": told}

    def balance(self) -> dict | None:
        """What is left on the account of its own login, `{amount, unit}`; None where it cannot say."""
        wanted = self.description.get("balance")
        if wanted is None:
            return None
        amount = point(self._ask("balance", None)[0], wanted["amount"])
        return {"amount": amount, "unit": wanted["unit"]} if is_number(amount) else None

    def _ask(self, command: str, key: Key | None, limit: float = QUESTION_TIMEOUT):
        """`(the JSON it printed or None, process.Ended or None where it could not be started)`."""
        asked = process.Process()
        try:
            asked.start(self.argv(command), self.environment(key))
        except OSError:
            return None, None
        ended = asked.finish(b"", limit)
        return read_json(ended.output)[0], ended

    def _shown(self, value):
        """What it printed as it may be seen: without its own login, and what looks like one."""
        return redactor.guessed(self._own.text(value)) if isinstance(value, str) else value

    def _ending(self, ended: process.Ended | None) -> str:
        return "it could not be started" if ended is None else self.words(ended)

    @property
    def misses_proxy(self) -> bool:
        host = addresses.origin_of(self._origin)[1]
        named = any(name.lower().endswith("_proxy") for name in os.environ)
        if self.description["uses_proxies"] or addresses.is_loopback(host) or not named:
            return False
        from urllib.request import getproxies_environment, proxy_bypass_environment

        proxies = getproxies_environment()
        return bool({"https", "all"} & set(proxies)) and not proxy_bypass_environment(host, proxies)

    # -- how its output is read --------------------------------------------------------------------

    def understand(self, ended: process.Ended, spends: bool) -> Answer | Lost:
        """What a create (`spends`) or a read has come to: an answer where there is proof of one, else lost."""
        body, problem = read_json(ended.output)
        if body is not None:
            kept = self._own.value(redactor.without_logins(body))
            ended = ended._replace(output=json.dumps(kept).encode()) if kept != body else ended
        if self.provider.answers.reading(body).id:
            return Answer(_SOME_2XX, {}, ended.output)
        said = self._said(body)
        failure = self.description["failure"]
        if spends and (found := re.search(failure["accepted"], said)):
            return Answer(_SOME_2XX, {}, json.dumps(self.provider.answers.answer_of(found[1])).encode())
        if ended.exit_code and (found := re.search(failure["status"], said)):
            named = {name: re.search(pattern, said) for name, pattern in failure.get("headers", {}).items()}
            headers = {name: match[1] for name, match in named.items() if match}
            return Answer(int(found[1]), headers, self._shown(said)[:_LONGEST_WORDS].encode())
        if ended.exit_code == 0 and not problem:
            return Answer(_SOME_2XX, {}, ended.output)
        return Lost(self.words(ended), spends)

    def words(self, ended: process.Ended) -> str:
        """Why it has not answered: how it ended, what that means, and its own words."""
        codes = self.description.get("exit_codes", {})
        how = ended.stopped or codes.get(str(ended.exit_code)) or f"it ended with exit code {ended.exit_code}"
        body, _ = read_json(ended.output)
        said = self._said(body) or ended.errors.decode("utf-8", "replace").strip()
        return f"{self.name}: {how}" + (f" ({self._shown(said)[:_LONGEST_WORDS]})" if said else "")

    def _said(self, body) -> str:
        found = point(body, self.description["failure"]["message"])
        # Twice as much as is shown: a login that a cut has shortened would not be known for one.
        return found[: 2 * _LONGEST_WORDS] if isinstance(found, str) else ""


def _logins(value, name: str = "") -> Iterator[str]:
    """What the answer about its login says of the login itself: key, account, address."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _logins(item, key)
    elif isinstance(value, str) and (redactor.is_secret(name) or name.lower().replace("_", "") in _ACCOUNT):
        if len(value) >= _SHORTEST_LOGIN:
            yield value


class _Exchange(Exchange):
    """One run of the program that is under way; a create is not ended by being left."""

    def __init__(self, inbox, on_sending, spends: bool):
        super().__init__(inbox, None, on_sending)
        self.spends = spends
        self.process = process.Process()

    def leave(self) -> None:
        super().leave()
        if not self.spends:
            self.process.stop("its answer was not waited for")


class ProgramWire:
    """One service through its program.

    key    keys.Key; one without a value is the program's own
    inbox  where what arrives is put
    trace  a callable (dict) for every run and how it ended, or None
    begin  (work) -> begin a piece of work in another thread
    """

    source = "cli"

    def __init__(self, program: Program, key: Key | None, inbox, trace=None, begin=in_a_thread):
        self._program = program
        self._environment = program.environment(key)
        self._inbox = inbox
        self._trace = trace or (lambda record: None)
        self._begin = begin
        self._running: set[process.Process] = set()

    def post(self, path: str, payload, timeout: float, stream: bool, on_sending=None, headers=None) -> Exchange:
        """Run the create once, as Wire.post sends it; the payload goes in over standard input, and no header with it.

        Raises Failure for a path that the program has no command for; then nothing was started.
        """
        model = self._program.provider.paths.model_of(path)
        self._must_fit("create", "model", model)
        content = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
        return self._start(self._program.argv("create", model=model), content, timeout, on_sending, spends=True)

    def get(self, path: str, timeout: float) -> Exchange:
        """Read a job once; raises Failure for another path, or an id that the program does not take."""
        generation_id = self._program.provider.paths.id_of(path)
        self._must_fit("read", "id", generation_id)
        return self._start(self._program.argv("read", id=generation_id), b"", timeout)

    def read(self, method: str, path: str, timeout: float, largest: int | None = None) -> Exchange:
        """The same: how it asks is the program's own affair."""
        return self.get(path, timeout)

    def close(self) -> None:
        """End what still runs: a create that nobody waits for any more must not buy later, unseen."""
        running = list(self._running)
        for each in running:
            each.stop("this command has ended")
        for each in running:
            if not each.has_ended(_ENDING_GRACE):
                each.kill()

    def _must_fit(self, command: str, name: str, value: str | None) -> None:
        # What does not fit would be refused by the program, and nobody could tell that from an unknown outcome.
        if value is None or not re.fullmatch(self._program.description[command][name], value):
            words = f"{self._program.name} has no command for this {name}; expected rest"
            raise errors.bad_argument("--transport", words)

    def _start(self, argv, content: bytes, timeout: float, on_sending=None, spends=False) -> Exchange:
        exchange = _Exchange(self._inbox, on_sending, spends)
        self._running.add(exchange.process)
        self._begin(lambda: self._run(exchange, argv, content, timeout))
        return exchange

    def _run(self, exchange: _Exchange, argv: list[str], content: bytes, timeout: float) -> None:
        try:
            seen = self._come_to(exchange, argv, content, timeout)
        except Exception as problem:
            seen = exchange.lost(problem)
        finally:
            self._running.discard(exchange.process)
        self._trace({"answer" if isinstance(seen, Answer) else "lost": _traced(seen)})
        exchange.report(seen)

    def _come_to(self, exchange: _Exchange, argv, content, timeout) -> Answer | Lost:
        self._trace({"run": {"argv": argv, "input": content}})
        # From here on it counts as sent: what the program does before it sends is not seen.
        exchange.before_sending()
        try:
            exchange.process.start(argv, self._environment)
        except OSError as problem:
            return Lost(f"{self._program.name} could not be started: {problem.strerror or problem}", False)
        # The machine's clock decides what is too long; this is for a program that nobody waits for.
        ended = exchange.process.finish(content, timeout + _SPARE)
        return self._program.understand(ended, exchange.spends)


def _traced(seen: Answer | Lost) -> dict:
    if isinstance(seen, Lost):
        return asdict(seen)
    return {"status": seen.status, "headers": seen.headers, "body": seen.content}
