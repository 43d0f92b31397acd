"""Flags that several scripts have, and what they come to.

    add_connection_flags, add_reading_flags   the flags
    Connection                                one service, at one address, with its key
    connect                                   a Connection from the parsed flags
    read_text, read_object                    the value of a flag that names a file or holds JSON
"""

from __future__ import annotations

import json
import os
import sys

from . import errors, folders, keys, providers, transport
from .console import Console, one_of

_LARGEST_INPUT = 64 * 1024 * 1024


def add_connection_flags(parser) -> None:
    names = providers.names()
    group = parser.add_argument_group("service")
    group.add_argument("--provider", type=one_of(*names), metavar="{" + ",".join(names) + "}", help="which service")
    group.add_argument("--base-url", metavar="URL", help="another address of the service, with its prefix")
    group.add_argument("--trust-base-url", action="store_true", help="send the key to the host of --base-url")
    group.add_argument("--key-stdin", action="store_true", help="read the key from standard input, for this run only")


def add_reading_flags(parser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--output-dir", metavar="DIR", help="save the results there")
    group.add_argument("--trace", metavar="FILE", help="append every request and answer, without keys")
    group.add_argument("--verbose", action="store_true", help="write each event with the service's own payload")


class Connection:
    """One service, at one address, with its key.

    provider  the descriptor
    base_url  where requests go
    key       keys.Key, or None for a service that needs none
    chosen    the flags that lead another script to the same place
    """

    def __init__(self, provider: providers.Provider, base_url: str, key: keys.Key | None, chosen: list[str]):
        self.provider = provider
        self.base_url = base_url
        self.key = key
        self.chosen = chosen

    @property
    def authorisation(self) -> tuple[str, str] | None:
        if self.key is None:
            return None
        wanted = self.provider.key
        return wanted["header"], wanted["prefix"] + self.key.value

    @property
    def loopback_base(self) -> str | None:
        """The base URL where the service is on this machine; None elsewhere."""
        host = transport.origin_of(self.base_url)[1]
        return self.base_url if transport.is_loopback(host) else None


def connect(console: Console, arguments, name: str) -> Connection:
    """The Connection that the flags of add_connection_flags mean; raises Failure.

    For an embedded service without --base-url its server is started, in this process.
    """
    provider = providers.load(name)
    chosen = ["--provider", provider.name]
    own, base_url = provider.base_url, None
    if arguments.base_url is not None or own is not None:
        base_url = transport.resolve_base_url(arguments.base_url, own, arguments.trust_base_url)
        if base_url != own:
            chosen += ["--base-url", base_url] + (["--trust-base-url"] if arguments.trust_base_url else [])
    key = _key_of(console, provider, arguments)
    return Connection(provider, base_url or _start_embedded(console, provider), key, chosen)


def _key_of(console: Console, provider: providers.Provider, arguments) -> keys.Key | None:
    if provider.key is None:
        return None
    from_stdin = keys.read_stdin("--key-stdin") if arguments.key_stdin else None
    if from_stdin:
        console.redactor.protect(from_stdin)
    key = keys.find(provider.key["variable"], from_stdin)
    if key is None:
        raise missing_key(provider)
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
        guidance=key_guidance(provider),
    )


def key_guidance(provider: providers.Provider) -> list[str]:
    """Where to get a key and how to set it, for each kind of shell and host."""
    variable = provider.key["variable"]
    return [
        *provider.key["steps"],
        f"In a shell: export {variable}='your_api_key_here'",
        f"In PowerShell: $env:{variable} = 'your_api_key_here'",
        f"In OpenClaw: set {variable} in the settings of the skill ai-media",
        f"To keep it: preflight.py --provider {provider.name} --persist-key, with the key on standard input",
    ]


def _start_embedded(console: Console, provider: providers.Provider) -> str:
    from .sandbox import Sandbox

    folder, note = folders.state_folder()
    if note:
        console.warning("state_folder", note)
    return Sandbox(folder, provider.speaks).url + provider.base_path


def read_text(flag: str, path: str) -> str:
    """The text of the file that a flag names, `-` for standard input; raises Failure 2."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
        else:
            if os.path.isdir(path):
                raise IsADirectoryError(21, "it is a directory")
            with open(path, "rb") as file:
                content = file.read(_LARGEST_INPUT + 1)
    except (OSError, ValueError, AttributeError) as problem:
        words = getattr(problem, "strerror", None) or "it cannot be read"
        raise errors.bad_argument(flag, f"expected a file that can be read: {words}") from None
    if len(content) > _LARGEST_INPUT:
        raise errors.bad_argument(flag, f"expected at most {_LARGEST_INPUT} bytes")
    try:
        # PowerShell writes UTF-16 with a byte order mark, and so do some editors on Windows.
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise errors.bad_argument(flag, "expected text in UTF-8") from None


def read_object(flag: str, text: str) -> dict:
    """The JSON object that a flag holds; raises Failure 2."""
    value = read_json(flag, text)
    if not isinstance(value, dict):
        raise errors.bad_argument(flag, "expected a JSON object, such as '{\"prompt\": \"…\"}'")
    return value


def read_json(flag: str, text: str):
    """The JSON value that a flag holds; raises Failure 2. NaN and infinities are no JSON."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return value
    except (ValueError, RecursionError) as problem:
        where = f" (line {problem.lineno}, column {problem.colno})" if hasattr(problem, "lineno") else ""
        raise errors.bad_argument(flag, f"expected JSON{where}") from None


def _no_constant(word: str):
    raise ValueError(f"{word} is no JSON")


def one_standard_input(*wanted: tuple[str, bool]) -> None:
    """Raise Failure 2 when more than one flag wants standard input."""
    flags = [flag for flag, wants in wanted if wants]
    if len(flags) > 1:
        raise errors.bad_argument(" and ".join(flags), "only one of them can read standard input")
