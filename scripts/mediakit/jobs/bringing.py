"""A file that is brought to a service by itself: `account.py SERVICE upload`.

run   bring it, and tell what the service calls it; the next create that takes the same bytes uses it again
"""

from __future__ import annotations

from ..base import errors
from ..console import Console
from ..ledger import fallbacks
from ..media import inputs
from ..media.saving import Saving
from ..services import actions, providers
from .connection import ConnectionFlags, connect
from .context import Context
from .lifecycle.policy import WaitPolicy
from .sources import Sources
from .uploader import Uploader


def run(console: Console, provider: providers.Provider, where: ConnectionFlags, asked: actions.Request) -> int:
    """Returns the exit code; raises Failure, which names the flag of this script."""
    try:
        return _bring(console, provider, where, asked)
    except errors.Failure as failure:
        if failure.fields.get("field") == "--input":
            failure.fields["field"] = "--param"
            failure.message = failure.message.replace("--input: ", "--param: ", 1)
        raise


def _bring(console: Console, provider: providers.Provider, where: ConnectionFlags, asked: actions.Request) -> int:
    way = next(way for way in provider.ways if way.begin)
    given = str((asked.body or {})["file"])
    attachment = inputs.read("file", None, given, (), provider.file_rules)
    if isinstance(attachment, str):
        raise errors.bad_argument(
            "--param", "file: expected a file; an address or a name of the service's is one already"
        )
    connection = connect(console, where, provider)
    ledgers = fallbacks.open_ledgers(console, False)
    context = Context(console, connection, ledgers.own, WaitPolicy(), Saving(), ledgers)
    found, origin = Sources(context).content(attachment)
    if isinstance(found, str):
        raise errors.bad_argument("--param", "file: expected a file; the service takes that job's address as it is")
    uploader = Uploader(context)
    name = uploader.deliver(attachment, found, origin, way)
    return console.result(
        "account",
        0,
        provider=provider.name,
        action=actions.UPLOAD,
        effect="no_spend",
        http_status=200,
        answer={"file": name, "reused": bool(uploader.reused)},
    )
