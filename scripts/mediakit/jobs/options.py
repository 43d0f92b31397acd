"""Flags that several scripts have, and what they come to.

add_connection_flags, add_spending_flags, add_waiting_flags, add_reading_flags   the flags
add_address_flags, add_purchase_flags   parts of the first two
Connection      one service, at one address, with its key
connect         a Connection from the parsed flags
connect_again   one for a job of the ledger
connect_to_plan one to ask a service for its own plan, where it makes one
saving          how results are saved
waiting_terms   how long to wait for a job that exists
"""

from __future__ import annotations

import os

from ..base import errors, paths
from ..base.times import time_left
from ..console import Console
from ..console.flags import folder, one_of, seconds, size, whole, word
from ..http import transport
from ..services import keys, program, providers
from . import lifecycle


def add_connection_flags(parser) -> None:
    names = providers.names()
    group = parser.add_argument_group("service")
    group.add_argument("--provider", type=one_of(*names), metavar="{" + ",".join(names) + "}", help="which service")
    add_address_flags(group)
    ways = ("auto", "cli", "rest")
    group.add_argument("--transport", type=one_of(*ways), default="auto", metavar="{" + ",".join(ways) + "}",
        help="through the service's own command-line program or not; auto: if it is there and no --base-url is given",
    )  # fmt: skip


def add_address_flags(group) -> None:
    """Where a service is, and its key: for scripts that name the service in another way than --provider."""
    spoken = sorted({service for name in providers.names() for service in providers.spoken_by(name)})
    group.add_argument(
        "--as",
        dest="speaks",
        type=one_of(*spoken),
        metavar="{" + ",".join(spoken) + "}",
        help="the service whose contract the sandbox speaks",
    )
    group.add_argument("--base-url", metavar="URL", help="another address of the service, with its prefix")
    group.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    group.add_argument("--key-stdin", action="store_true", help="read the key from standard input, for this run only")


def add_spending_flags(parser) -> None:
    group = parser.add_argument_group("spending")
    group.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    group.add_argument("--copies", type=whole(1, 100), default=1, metavar="N", help="buy N of them on purpose")
    add_purchase_flags(group)
    group.add_argument("--no-store-payload", action="store_true", help="do not keep what was asked for")


def add_purchase_flags(group) -> None:
    """What a purchase is called, and what it may cost."""
    from ..base import amounts

    def amount(text: str) -> amounts.Amount:
        return amounts.parse_amount("--max-spend", text)

    group.add_argument("--intent", type=word(200), metavar="KEY", help="this purchase's own name")
    group.add_argument("--allow-duplicate", action="store_true", help="buy one more, whatever was bought before")
    group.add_argument("--retry-unknown", action="store_true", help="risk paying twice for an unknown outcome")
    group.add_argument("--max-spend", type=amount, metavar="AMOUNT", help="a job's limit, such as 200credits or 5usd")
    group.add_argument("--accept-unknown-cost", action="store_true", help="buy under a cap what has no known price")
    group.add_argument("--require-ledger", action="store_true", help="refuse to buy where nothing can be remembered")


def add_waiting_flags(parser) -> None:
    """For a job that exists; `waiting_terms` reads them."""
    group = parser.add_argument_group("how to wait")
    wait, request = seconds(), seconds(above=True)
    group.add_argument(
        "--interval", type=request, default=3.0, metavar="SECONDS", help="between two polls at most, default 3"
    )
    group.add_argument("--timeout", type=wait, default=600.0, metavar="SECONDS", help="for all of it, default 600")
    group.add_argument(
        "--request-timeout", type=request, default=20.0, metavar="SECONDS", help="for one poll, default 20"
    )


def add_reading_flags(parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--output-dir", type=folder, metavar="DIR", help="save the results there")
    add_saving_flags(group)
    group.add_argument("--embed-metadata", action="store_true", help="also write into each file how it was made")
    group.add_argument("--show", action="store_true", help="show the pictures on the terminal, where it can")
    group.add_argument("--trace", metavar="FILE", help="append every request and answer, without keys")
    group.add_argument("--verbose", action="store_true", help="write each event with the service's own payload")


def add_saving_flags(group) -> None:
    """How results are saved, with the limits of download.LIMITS; `saving` reads them."""
    group.add_argument(
        "--output-name",
        type=_template,
        metavar="TEMPLATE",
        help="their names, such as {date}-{model}-{n}; also {service} {task} {job} {time}",
    )
    group.add_argument("--max-file-size", type=size, metavar="SIZE", help="of one result, default 4GiB")
    group.add_argument("--max-total-size", type=size, metavar="SIZE", help="of all results, default 20GiB")
    group.add_argument("--max-files", type=whole(1, 10_000), metavar="N", help="so many results, default 100")
    group.add_argument(
        "--download-timeout", type=seconds(above=True), metavar="SECONDS", help="for a job's results, default 1800"
    )
    group.add_argument(
        "--allow-private-network",
        action="store_true",
        help="also fetch results from private addresses, for a VPN with fake addresses; RISK: a result's link "
        "can then reach into this machine's own network",
    )


def _template(text: str) -> str:
    import argparse

    from ..media import names

    try:
        return names.check(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def saving(arguments):
    """save.Saving as the flags of add_reading_flags say; one for a whole command, whose files it counts."""
    from ..media import download, names, save

    given = {
        "--output-name": arguments.output_name,
        "--max-file-size": arguments.max_file_size,
        "--max-total-size": arguments.max_total_size,
        "--max-files": arguments.max_files,
        "--download-timeout": arguments.download_timeout,
    }
    switches = {
        "--allow-private-network": arguments.allow_private_network,
        "--embed-metadata": arguments.embed_metadata,
        "--show": arguments.show,
    }
    flags = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    numbers = list(given.values())[1:]
    limits = download.Limits(*(own if own is not None else usual for own, usual in zip(numbers, download.LIMITS)))
    return save.Saving(
        template=arguments.output_name or names.DEFAULT,
        task=getattr(arguments, "task", None),
        budget=download.Budget(limits),
        allows_private=arguments.allow_private_network,
        embeds=arguments.embed_metadata,
        shows=arguments.show,
        stores=not getattr(arguments, "no_store_payload", False),
        flags=(*flags, *(flag for flag, is_given in switches.items() if is_given)),
    )


class Connection:
    """One service, at one address, with its key.

    provider  the descriptor
    base_url  where requests go
    key       keys.Key, or None for a service that needs none
    chosen    the flags that lead another script to the same place
    embedded  whether its server was started in this process
    through   program.Program that requests go through; None for HTTP
    """

    def __init__(
        self,
        provider: providers.Provider,
        base_url: str,
        key: keys.Key | None,
        chosen: list[str],
        embedded: bool = False,
        through: program.Program | None = None,
    ):
        self.provider = provider
        self.base_url = base_url
        self.key = key
        self.chosen = chosen
        self.embedded = embedded
        self.through = through

    def wire(self, inbox, trace=None) -> transport.Wire | program.ProgramWire:
        """What sends one job's requests."""
        if self.through:
            return program.ProgramWire(self.through, self.key, inbox, trace)
        return transport.Wire(self.base_url, self.authorisation, inbox, trace)

    @property
    def origin(self) -> str:
        """Where it is, in one spelling; the port of an embedded server, another each time, is no part of it."""
        if self.embedded:
            default = providers.spoken_by(self.provider.name)[0]
            return "embedded" if self.provider.speaks == default else f"embedded {self.provider.speaks}"
        scheme, host, port = transport.origin_of(self.base_url)
        return f"{scheme}://{host}:{port}{transport.urlsplit(self.base_url).path}"

    @property
    def authorisation(self) -> tuple[str, str] | None:
        if self.key is None or self.key.value is None:
            return None
        wanted = self.provider.key
        return wanted["header"], wanted["prefix"] + self.key.value

    @property
    def loopback_base(self) -> str | None:
        """The base URL where the service is on this machine; None elsewhere."""
        host = transport.origin_of(self.base_url)[1]
        return self.base_url if transport.is_loopback(host) else None


def provider_of(arguments, name: str) -> providers.Provider:
    """The provider of that name, with the contract that --as asks for.

    Raises Failure 2 where it cannot have that one, or has no program and --transport asks for it.
    """
    spoken = providers.spoken_by(name)
    if arguments.speaks is not None and arguments.speaks not in spoken:
        raise errors.bad_argument("--as", "expected with the sandbox only: a real service speaks for itself")
    provider = providers.load(name, arguments.speaks)
    if arguments.transport == "cli" and provider.cli is None:
        raise errors.bad_argument("--transport", f"expected auto or rest: {provider.title} has no program of its own")
    return provider


def provider_flags(provider: providers.Provider) -> list[str]:
    """The flags that lead another script to the same service."""
    spoken = providers.spoken_by(provider.name)
    flags = ["--provider", provider.name]
    return flags + (["--as", provider.speaks] if spoken and provider.speaks != spoken[0] else [])


def connect(console: Console, arguments, name: str, with_key: bool = True) -> Connection:
    """The Connection that the flags of add_connection_flags mean; raises Failure.

    with_key  False for what is asked without one
    For an embedded service without --base-url its server is started, in this process. Whether requests
    go through the service's own program is decided here, once: nothing that fails later is sent otherwise.
    """
    provider = provider_of(arguments, name)
    chosen = provider_flags(provider)
    own, base_url = provider.base_url, None
    if arguments.base_url is not None or own is not None:
        base_url = transport.resolve_base_url(arguments.base_url, own, arguments.trust_base_url)
        if base_url != own:
            chosen += ["--base-url", base_url] + (["--trust-base-url"] if arguments.trust_base_url else [])
    if arguments.transport != "auto":
        chosen += ["--transport", arguments.transport]
    through = _program_of(console, provider, arguments, base_url)
    key = _key_of(console, provider, arguments, through) if with_key else None
    embedded = base_url is None
    return Connection(provider, base_url or _start_embedded(console, provider), key, chosen, embedded, through)


def connect_to_plan(console: Console, arguments, name: str) -> Connection | None:
    """A Connection to a service that can plan for itself; None for one that cannot, or without a key."""
    provider = provider_of(arguments, name)
    if provider.plan is None or (provider.key and not arguments.key_stdin and keys.find(provider.key) is None):
        return None
    return connect(console, arguments, name)


def connect_again(console: Console, arguments, ledger, entry) -> Connection:
    """The Connection for a job of the ledger: where it was bought, unless the flags say otherwise.

    An address out of the ledger gets the key by the same rules as one from a flag.
    """
    from copy import copy

    arguments = copy(arguments)
    if providers.spoken_by(entry.service):
        arguments.speaks = entry.speaks or None
    if arguments.base_url is None and ledger.names_hosts and entry.base_url != providers.load(entry.service).base_url:
        arguments.base_url = entry.base_url
    return connect(console, arguments, entry.service)


def waiting_terms(arguments, connection: Connection) -> lifecycle.Terms:
    """How long to wait for a job that exists, as --interval, --timeout and --request-timeout say."""
    return lifecycle.Terms(
        stream=False,
        poll_timeout=arguments.timeout,
        poll_interval=arguments.interval,
        poll_request_timeout=arguments.request_timeout,
        verbose=arguments.verbose,
        reconciles=connection.provider.lists_running,
    )


def _program_of(console: Console, provider, arguments, base_url: str | None) -> program.Program | None:
    """The program that requests go through, as --transport says; None for HTTP."""
    is_forced = arguments.transport == "cli"
    may_be = arguments.transport == "auto" and base_url is not None and arguments.base_url is None
    if provider.cli is None or not (is_forced or may_be):
        return None
    found, problem = program.look_for(provider, base_url)
    left = time_left(getattr(arguments, "deadline", None))
    limit = program.QUESTION_TIMEOUT if left is None else min(program.QUESTION_TIMEOUT, left / 2)
    problem = found.check(limit) if found else problem
    if found and found.misses_proxy and not is_forced:
        # Its create would fail on the way, and nobody could tell that from an unknown outcome.
        problem = f"{found.name} does not go through the proxy that the environment names"
    if not problem:
        return found
    if is_forced:
        guidance = [f"To install it: {provider.cli['install']}", "Or without it: --transport rest"]
        raise errors.bad_argument("--transport", console.plain(problem), *guidance)
    if found or os.environ.get(provider.cli["variable"]):
        console.warning("cli_unusable", console.plain(problem))
    return None


def _key_of(console: Console, provider: providers.Provider, arguments, through) -> keys.Key | None:
    if provider.key is None:
        return None
    from_stdin = keys.read_stdin("--key-stdin") if arguments.key_stdin else None
    if from_stdin:
        console.redactor.protect(from_stdin)
    key = keys.find(provider.key, from_stdin, through.saved_login if through else lambda: None)
    if key is None:
        raise missing_key(provider)
    if key.value is not None:
        console.redactor.protect(key.value)
    return key


def missing_key(provider: providers.Provider) -> errors.Failure:
    """No key for the service that was asked for."""
    return errors.Failure(
        "missing_api_key",
        f"no key for {provider.title} was found",
        "auth",
        outcome="not_sent",
        retryable=False,
        guidance=provider.key_guidance,
    )


def _start_embedded(console: Console, provider: providers.Provider) -> str:
    from ..sandbox import Sandbox

    folder, note = paths.state_folder()
    if note:
        console.warning("state_folder", note)
    return Sandbox(folder, provider.speaks).url + provider.base_path
