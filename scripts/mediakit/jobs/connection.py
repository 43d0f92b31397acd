"""One service, at one address, with its key.

ConnectionFlags   what the flags say about it
Connection        what they come to; `ask` sends one question
connect           the Connection that flags mean
connect_again     the one for a job of the ledger
read_at           the same where a job of the ledger has been read
origin_at         where a service at an address is, in one spelling
chosen_flags      the flags that lead another script there
connect_to_ask    the one to ask a service for a plan or a price of its own
"""

from __future__ import annotations

import os
import time

from ..base import errors, paths, programs
from ..base.record import record, replace
from ..base.workers import in_a_thread
from ..console import Console
from ..http import addresses
from ..services import keys, providers

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:  # what sends is loaded where something is sent
    from collections.abc import Callable, Iterable

    from ..http.answers import Answer, Lost
    from ..http.wire import Wire
    from ..ledger import store
    from ..services import program
    from ..services.site import Site
    from .trace import Trace


@record
class ConnectionFlags:
    """Each field is the flag of the same name; `speaks` is --as.

    `provider` may be None: request.check and the ledger know other ways to tell which service is meant.
    """

    provider: str | None = None
    speaks: str | None = None
    base_url: str | None = None
    trust_base_url: bool = False
    key_stdin: bool = False
    trust_dotenv: bool = False
    transport: str = "auto"
    trace: str | None = None


@record
class Connection:
    """One service, at one address, with its key.

    base_url  where requests go
    key       None for a service that needs none
    chosen    the flags that lead another script to the same place
    embedded  whether its server was started in this process
    through   the program that requests go through; None for HTTP
    trace     where every request and answer is told; None for nowhere
    begin     (work) -> begin a request of a job in another thread
    """

    provider: providers.Provider
    base_url: str
    key: keys.Key | None = None
    chosen: tuple[str, ...] = ()
    embedded: bool = False
    through: program.Program | None = None
    trace: Trace | None = None
    begin: Callable[[Callable[[], None]], None] = in_a_thread

    def wire(self, inbox) -> Wire | program.ProgramWire:
        """What sends the requests of one job; what comes of them is put into `inbox`."""
        if self.through:
            from ..services import program

            return program.ProgramWire(self.through, self.key, inbox, self._recorder(), self.begin)
        return self._http(inbox, self.begin)

    def http(self, inbox) -> Wire:
        """The same over HTTP in any case: a service's program does nothing but jobs."""
        return self._http(inbox, in_a_thread)

    def _http(self, inbox, begin) -> Wire:
        from ..http.wire import Host, Wire

        host = Host(self.base_url, self.authorisation, self.headers, self.site.origins)
        return Wire(host, inbox, self._recorder(), begin)

    def elsewhere(self, url: str, inbox) -> Wire:
        """What brings a file to an address that the service told: without the key, and not into a private network."""
        from ..http.peers import is_public_peer
        from ..http.wire import Host, Wire

        host = Host(url, allows_peer=None if self.loopback_base else is_public_peer)
        return Wire(host, inbox, self._recorder())

    @property
    def site(self) -> Site:
        """Which address each request goes to."""
        from ..services.site import Site

        return Site(self.provider, self.base_url)

    @property
    def headers(self) -> dict[str, str]:
        """What every request to the service carries besides the key."""
        found = {name: os.environ.get(variable, "") for name, variable in self.provider.optional_headers.items()}
        usable = {name: value for name, value in found.items() if value and keys.is_usable(value)}
        return {**self.provider.headers, **usable}

    def _recorder(self) -> Callable[[dict], None] | None:
        return self.trace.recorder() if self.trace else None

    def ask(self, path: str, seconds: float, body=None, method: str = "GET") -> Answer | Lost:
        """Read once over HTTP, and wait for it so many seconds at most.

        body    of a question that the service takes as a POST; never of anything that costs
        method  of one without a body
        """
        from ..base.inbox import Inbox
        from ..http.wire import answer_of

        inbox = Inbox()
        wire = self.http(inbox)
        exchange = wire.read(method, path, seconds) if body is None else wire.post(path, body, seconds, False)
        return answer_of(exchange, inbox, seconds)

    @property
    def origin(self) -> str:
        """Where it is, in one spelling; the port of an embedded server, another each time, is no part of it."""
        return origin_at(self.provider, None if self.embedded else self.base_url)

    @property
    def former_origin(self) -> str:
        """The same as ledgers of the first schemas hold it."""
        if self.embedded:
            return self.origin
        scheme, host, port = addresses.origin_of(self.base_url)
        return f"{scheme}://{host}:{port}{addresses.urlsplit(self.base_url).path}"

    @property
    def authorisation(self) -> tuple[str, str] | None:
        """`(header, value)` that carries the key; None where there is none, or none that we may see."""
        wanted = self.provider.key
        if wanted is None or self.key is None or self.key.value is None:
            return None
        return wanted["header"], wanted.get("prefix", "") + self.key.value

    @property
    def account(self) -> str | None:
        """The key, as ledger.store.Ledger.account takes it."""
        return self.key.value if self.key else None

    @property
    def loopback_base(self) -> str | None:
        """The base URL where the service is on this machine; None elsewhere."""
        host = addresses.origin_of(self.base_url)[1]
        return self.base_url if addresses.is_loopback(host) else None


def origin_at(provider: providers.Provider, base_url: str | None) -> str:
    """Connection.origin of a service at a base URL; None for an embedded one."""
    if base_url is None:
        default = providers.spoken_by(provider.name)[0]
        return "embedded" if provider.speaks == default else f"embedded {provider.speaks}"
    from ..base import canonical

    return canonical.origin(base_url, provider.base_path)


def provider_of(flags: ConnectionFlags, name: str) -> providers.Provider:
    """The provider of that name, with the contract that --as asks for.

    Raises Failure 2 where it cannot have that one, or has no program and --transport asks for it.
    """
    spoken = providers.spoken_by(name)
    if flags.speaks is not None and flags.speaks not in spoken:
        raise errors.bad_argument("--as", "expected with the sandbox only: a real service speaks for itself")
    provider = providers.load(name, flags.speaks)
    if flags.transport == "cli" and provider.cli is None:
        raise errors.bad_argument("--transport", f"expected auto or rest: {provider.title} has no program of its own")
    return provider


def address(flags: ConnectionFlags, provider: providers.Provider) -> str | None:
    """The base URL that the flags mean; None for an embedded service, whose address is chosen when it starts."""
    if flags.base_url is None and provider.base_url is None:
        return None
    return addresses.resolve_base_url(flags.base_url, provider.base_url, flags.trust_base_url)


def connect(
    console: Console,
    flags: ConnectionFlags,
    provider: providers.Provider,
    deadline: float = float("inf"),
    with_key: bool = True,
    folder: str | None = None,
) -> Connection:
    """The Connection that the flags mean; raises Failure.

    deadline  when the command must have ended, in seconds of time.monotonic
    with_key  False for what is asked without one
    folder    where an embedded service has its jobs; None for this command's own state folder

    For an embedded service without --base-url its server is started, in this process. Whether requests
    go through the service's own program is decided here, once: nothing that fails later is sent otherwise.
    """
    # Where no key goes, any host may be asked.
    base_url = address(flags if with_key else replace(flags, trust_base_url=True), provider)
    through = _program_of(console, provider, flags, base_url, deadline)
    from .trace import Trace

    console.about.update(provider=provider.name, practice=True if provider.embedded else None)
    key = _key_of(console, provider, flags, through, base_url) if with_key else None
    console.about["key_source"] = key and key.source
    return Connection(
        provider,
        base_url or _start_embedded(console, provider, folder),
        key,
        chosen_flags(flags, provider, base_url),
        base_url is None,
        through,
        Trace(console, flags.trace) if flags.trace else None,
    )


def chosen_flags(flags: ConnectionFlags, provider: providers.Provider, base_url: str | None) -> tuple[str, ...]:
    """The flags that lead another script to the same service, address and transport."""
    spoken = providers.spoken_by(provider.name)
    words = ["--provider", provider.name]
    if spoken and provider.speaks != spoken[0]:
        words += ["--as", provider.speaks]
    if base_url is not None and base_url != provider.base_url:
        words += ["--base-url", base_url] + (["--trust-base-url"] if flags.trust_base_url else [])
    if flags.transport != "auto" and provider.cli is not None:
        words += ["--transport", flags.transport]
    return tuple(words)


def connect_to_ask(
    console: Console, flags: ConnectionFlags, provider: providers.Provider, deadline: float
) -> Connection | None:
    """A Connection to a service that is asked before anything is bought; None without a key."""
    if provider.key and not flags.key_stdin and keys.find(provider.key, trusts_dotenv=flags.trust_dotenv) is None:
        return None
    return connect(console, flags, provider, deadline)


def connect_again(
    console: Console, flags: ConnectionFlags, ledger: store.Ledger, entry: store.Entry, with_key: bool = True
) -> Connection:
    """The Connection for a job of the ledger: where it was bought, unless the flags say otherwise.

    An address out of the ledger gets the key by the same rules as one from a flag, and one on this machine only if a
    flag names it again. Raises Failure. `with_key` as in `connect`.
    """
    if providers.spoken_by(entry.service):
        flags = replace(flags, speaks=entry.speaks or None)
    provider = provider_of(flags, entry.service)
    told = entry.base_url if ledger.names_hosts else None
    if flags.base_url is None and told is not None and told != provider.base_url:
        if with_key and provider.key is not None and addresses.is_loopback(addresses.origin_of(told)[1]):
            # Once its listener is gone, anybody can take a port.
            words = f"the job was bought at {told}; whoever listens there by now would get the key"
            raise addresses.untrusted("--base-url", words, f"To go on there, add: --base-url {told}")
        flags = replace(flags, base_url=told)
    return connect(console, flags, provider, with_key=with_key, folder=ledger.folder)


def read_at(console: Console, connection: Connection, decision: store.Decision) -> Connection:
    """The same where a job of the ledger can be read: at the base URL of the same host under which it has been, or,
    of an embedded service, in the state folder that it was made in."""
    found, ledger = decision.job.base_url, decision.ledger
    if connection.embedded and ledger is not None and ledger.folder != paths.state_folder()[0]:
        return replace(connection, base_url=_start_embedded(console, connection.provider, ledger.folder))
    is_known = found is not None and decision.job.read_at is not None and ledger is not None and ledger.names_hosts
    if found is None or not is_known or addresses.origin_of(found) != addresses.origin_of(connection.base_url):
        return connection
    chosen = tuple(found if word == connection.base_url else word for word in connection.chosen)
    return replace(connection, base_url=found, chosen=chosen)


def look_for_program(provider: providers.Provider, base_url: str) -> tuple[program.Program | None, str]:
    """`program.look_for`; its room is loaded only where there is a program, which few machines have."""
    cli = provider.cli or {}
    path, problem = programs.locate(cli["program"], cli["variable"])
    if path is None:
        return None, problem
    from ..services import program

    return program.look_for(provider, base_url)


def _program_of(
    console: Console, provider: providers.Provider, flags: ConnectionFlags, base_url: str | None, deadline: float
) -> program.Program | None:
    """The program that requests go through, as --transport says; None for HTTP."""
    is_forced = flags.transport == "cli"
    may_be = flags.transport == "auto" and base_url is not None and flags.base_url is None
    if provider.cli is None or base_url is None or not (is_forced or may_be):
        return None
    found, problem = look_for_program(provider, base_url)
    if found:
        from ..services import program

        problem = found.check(min(program.QUESTION_TIMEOUT, max(deadline - time.monotonic(), 0.0) / 2))
    if found and found.misses_proxy and not is_forced:
        # Its create would fail on the way, and nobody could tell that from an unknown outcome.
        problem = f"{found.name} does not go through the proxy that the environment names"
    if not problem:
        return found
    if is_forced:
        guidance = [f"To install it: {provider.cli['install']}", "Or without it: --transport rest"]
        raise errors.bad_argument("--transport", console.plain(problem), *guidance)
    if not problem.endswith(programs.ABSENT):
        console.warning("cli_unusable", console.plain(problem))
    return None


def _key_of(
    console: Console, provider: providers.Provider, flags: ConnectionFlags, through, base_url: str | None
) -> keys.Key | None:
    if provider.key is None:
        return None
    from_stdin = keys.read_stdin("--key-stdin") if flags.key_stdin else None
    if from_stdin:
        console.redactor.protect(from_stdin)
    key = keys.find(
        provider.key,
        from_stdin,
        through.saved_login if through else lambda: None,
        made_up=base_url is not None and addresses.is_loopback(addresses.origin_of(base_url)[1]),
        trusts_dotenv=flags.trust_dotenv,
    )
    if key is None:
        about_program = [console.plain(words) for words in _logins_of_program(provider, flags, through)]
        raise missing_key(provider, flags.trust_dotenv, about_program)
    if key.value is not None:
        console.redactor.protect(key.value)
    return key


def _logins_of_program(provider: providers.Provider, flags: ConnectionFlags, through) -> list[str]:
    """What the service's own program has to do with a key that is missing."""
    if through and through.login_problem:
        return [f"{through.name}: {through.login_problem}"]
    cli = provider.cli if flags.base_url is not None and flags.transport == "auto" else None
    if cli and programs.locate(cli["program"], cli["variable"])[0]:
        return [f"At another address a login of {cli['program']} is used with --transport cli only"]
    return []


def missing_key(provider: providers.Provider, trusts_dotenv: bool = False, first: Iterable[str] = ()) -> errors.Failure:
    """No key for the service that was asked for; `first` is said before all else."""
    passed_over = keys.passed_over(provider.key, trusts_dotenv=trusts_dotenv) if provider.key else []
    return errors.Failure(
        "missing_api_key",
        f"no key for {provider.title} was found" + (f"; set {provider.key['variable']}" if provider.key else ""),
        "auth",
        outcome="not_sent",
        retryable=False,
        guidance=[*first, *passed_over, *provider.advice.setting_key],
    )


def _start_embedded(console: Console, provider: providers.Provider, folder: str | None) -> str:
    from ..sandbox import Sandbox

    if folder is None:
        folder, note = paths.state_folder()
        if note:
            console.warning("state_folder", note)
    sandbox = Sandbox(folder, provider.speaks)
    if sandbox.note:
        console.warning("state_folder", sandbox.note)
    return sandbox.url + provider.base_path
