"""One action of an account, from its flags to the one who carries it out.

    run   checks what is asked for, then plans it or does it

Nothing here takes the data of a card, a wallet or a seed phrase: a payment is opened, and where somebody goes
on with it is told.
"""

from __future__ import annotations

from ..base import errors
from ..base.record import asdict
from ..console import Console
from ..http import addresses
from ..ledger import fallbacks
from ..media.saving import Saving
from ..services import actions, keys, providers
from .acting import Acting, ActionFlags
from .connection import ConnectionFlags, address, connect, provider_of
from .context import Context
from .lifecycle.policy import WaitPolicy
from .price import Spending

# Flags that only an action with a certain trait has a use for: flag -> (trait of Action, what it has to do).
_ONLY_WITH = {
    **dict.fromkeys(("persist_key", "show_token", "replace_key"), ("issues_key", "issues a key")),
    "output_dir": ("outputs", "makes a file"),
    **dict.fromkeys(
        ("intent", "allow_duplicate", "retry_unknown", "max_spend", "accept_unknown_cost", "require_ledger"),
        ("spends", "spends"),
    ),
}


def run(
    console: Console, service: str, name: str, where: ConnectionFlags, flags: ActionFlags, spending: Spending
) -> int:
    """Carry one action out; returns the exit code. Raises Failure.

    service, name  the provider's name and the action's, as given
    """
    provider = provider_of(where, service)
    action = actions.find(provider, name)
    asked = action.request(list(flags.param))
    _check_flags(where, flags, spending, action)
    if action.asks and not flags.confirm:
        return _show_plan(console, where, provider, action, asked)
    if action.issues_key:
        _check_store(flags, provider)
    if name == actions.UPLOAD and name not in provider.actions:
        from . import bringing

        return bringing.run(console, provider, where, asked)
    connection = connect(console, where, provider, with_key=_sends_key(where, provider, action))
    ledgers = None
    if action.effect == "spends":
        ledgers = fallbacks.open_ledgers(console, spending.require_ledger, connection.embedded)
    ledger = ledgers.own if ledgers else None
    context = Context(console, connection, ledger, WaitPolicy(), Saving(folder=flags.output_dir), ledgers)
    return Acting(context, action, asked, flags, spending).run()


def _check_flags(where: ConnectionFlags, flags: ActionFlags, spending: Spending, action: actions.Action) -> None:
    has = {"issues_key": action.issues_key, "outputs": action.outputs, "spends": action.effect == "spends"}
    given = {**asdict(flags), **asdict(spending)}
    for name, (trait, words) in _ONLY_WITH.items():
        if given[name] not in (None, False) and not has[trait]:
            raise errors.bad_argument("--" + name.replace("_", "-"), f"expected with an action that {words}")
    if where.key_stdin and action.key == "unneeded":
        raise errors.bad_argument("--key-stdin", f"{action.name} is asked without a key")
    if flags.confirm and not action.asks:
        raise errors.bad_argument("--confirm", f"{action.name} needs none")


def _check_store(flags: ActionFlags, provider: providers.Provider) -> None:
    """Refuse to ask for a key that would be lost, or that would make another one be lost."""
    if not (flags.persist_key or flags.show_token):
        raise errors.bad_argument(
            "--persist-key",
            "expected, or --show-token: the service tells the new key once, and it would be lost",
            "--persist-key keeps it for this user; --show-token writes it into the result, once.",
        )
    if not flags.persist_key:
        return
    if provider.key is None:
        raise errors.bad_argument("--persist-key", f"expected a service with a key; {provider.title} needs none")
    if not keys.can_persist():
        raise errors.bad_argument("--persist-key", "the user's store cannot be written")
    if keys.stored(provider.key["variable"]) and not flags.replace_key:
        raise errors.Failure(
            "key_exists",
            f"the user's own store holds a key for {provider.title} already; what it owns would be lost with it",
            "guard",
            outcome="not_sent",
            retryable=False,
            guidance=["Use that key, or add --replace-key to give it up.", "--show-token keeps both."],
        )


def _sends_key(where: ConnectionFlags, provider: providers.Provider, action: actions.Action) -> bool:
    if provider.key is None or action.key != "unknown":
        return action.key == "needed"
    # No source says whether it needs one, and its own service may see it: it is sent where there is one.
    return where.key_stdin or keys.find(provider.key, trusts_dotenv=where.trust_dotenv) is not None


def _show_plan(
    console: Console,
    where: ConnectionFlags,
    provider: providers.Provider,
    action: actions.Action,
    asked: actions.Request,
) -> int:
    """What would be done, without asking anybody."""
    base_url = address(where, provider)
    if action.at_origin:
        base_url = addresses.above(base_url, provider.base_path) if base_url else ""
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
