"""What is known about one service before anything is bought.

Readiness  what keeps a command from working there, and what is left on the account
examine    a Readiness; with `online` the service is asked, by reads only
"""

from __future__ import annotations

from ..base.record import asdict, field, record, replace
from ..base.text import is_number, plain
from ..console import Console
from ..http import addresses
from ..services import keys, providers
from .connection import Connection, ConnectionFlags, address, look_for_program

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from ..services import program
    from . import standing

KEY_REQUIRED, KEY_REFUSED, UNREACHABLE = "key_required", "key_refused", "service_unreachable"
_CREDIT_WORDS = ("credit", "balance", "remaining", "available", "total")


@record
class Readiness:
    """One service, as it stands.

    blocked  the stage of the guide that it is held up at; None where nothing is in the way
    report   what an event tells of it
    source   where its key was found, in words
    balance  {amount, unit}, where the shape of the service's answer is documented
    is_empty whether the service has said that credits are missing, or that none are left
    is_programs_login  whether its key is one that only the service's own program has
    """

    provider: providers.Provider
    blocked: str | None
    report: dict = field(default_factory=dict)
    source: str | None = None
    balance: dict | None = None
    is_empty: bool = False
    is_programs_login: bool = False


def examine(
    console: Console, where: ConnectionFlags, provider: providers.Provider, *, online: bool, in_full: bool
) -> Readiness:
    """What is known of a service. Raises Failure for a key that no header can hold.

    in_full  whether it was asked for by name: then how to set it up is told too
    """
    base_url = address(where, provider)
    cli, told = _program(where, provider, base_url)
    made_up = base_url is not None and where.base_url is not None and _is_local(base_url)
    key, wanted = None, provider.key
    if wanted:
        login = cli.saved_login if cli else lambda: None
        key = keys.find(wanted, login=login, made_up=made_up, trusts_dotenv=where.trust_dotenv)
    blocked = KEY_REQUIRED if wanted and key is None else None
    report: dict = {
        "provider": provider.name,
        "ready": blocked is None,
        "key_found": key is not None if wanted else None,
        "key_source": key.source if key else None,
        **told,
        "recommended_mode": "none" if blocked else "cli" if cli else "rest",
        "missing": [wanted["variable"]] if wanted and blocked else [],
    }
    if not in_full:  # one of many
        report = {name: value for name, value in report.items() if name not in ("cli_problem", "cli_install")}
    elif blocked and wanted:
        passed_over = keys.passed_over(wanted, trusts_dotenv=where.trust_dotenv)
        report["setup"] = [*passed_over, *provider.advice.setting_key]
    report = {name: value for name, value in report.items() if value is not None}
    of_program = key is not None and key.value is None
    found = Readiness(provider, blocked, report, key.source if key else None, is_programs_login=of_program)
    if key and key.value is not None:
        console.redactor.protect(key.value)
    if online and base_url is not None and not of_program:
        found = _asked(console, Connection(provider, base_url, key), found)
    if cli and online:
        found = _diagnosed(console, found, cli, key)
    return found


def _is_local(base_url: str) -> bool:
    return addresses.is_loopback(addresses.origin_of(base_url)[1])


def _blocked(found: Readiness, stage: str, missing: str, **more) -> Readiness:
    report = {**found.report, "ready": False, "recommended_mode": "none", "missing": [missing], **more}
    return Readiness(found.provider, stage, report, found.source)


# -- the service -----------------------------------------------------------------------------------------


def _asked(console: Console, connection: Connection, found: Readiness) -> Readiness:
    """Whether the service answers and takes the key, and what is left on the account, as far as it tells."""
    from . import standing

    provider, place = connection.provider, standing.check_place(connection)
    if place is None:
        return found
    answer, body, headers = standing.standing(console, connection, place)
    if _is_unreachable(answer):
        words = f"an answer of {provider.title}: {answer.message}"
        return _blocked(found, UNREACHABLE, words, online=_told(answer))
    if connection.key is None:
        return found
    if answer.accepted is False:
        return _blocked(found, KEY_REFUSED, f"a key that {provider.title} accepts", online=_told(answer))
    balance, report = standing.balance_place(connection), dict(found.report)
    if answer.accepted and balance not in (None, place):
        asked, *its = standing.standing(console, connection, balance)
        if asked.accepted is False:  # the key is good, and may not see this
            balance = None
            report["balance_unknown"] = (provider.says("balance") or {}).get("forbidden", "this key may not read it")
        else:
            answer, (body, headers) = asked, its
    online = report["online"] = _told(answer)
    tells = online["ok"] and balance is not None
    left = provider.bills.left(body, headers) if tells else None
    if tells:
        report["balance"] = left or standing.bounded(body).get("answer")
    is_empty = answer.category == "insufficient_credits" or (tells and _is_nothing(left, body))
    return Readiness(provider, None, report, found.source, left, is_empty)


def _is_unreachable(answer: standing.Standing) -> bool:
    return answer.http_status is None or answer.http_status >= 500


def _is_nothing(left: dict | None, body) -> bool:
    """Whether nothing is left: by the documented amount, else where every number that reads as credits is zero."""
    if left is not None:
        return left.get("amount") == 0
    numbers = list(_credit_numbers(body)) if isinstance(body, dict) else []
    return bool(numbers) and not any(numbers)


def _credit_numbers(body: dict, depth: int = 0):
    for name, value in body.items():
        if isinstance(value, dict) and depth < 3:
            yield from _credit_numbers(value, depth + 1)
        elif is_number(value):
            if any(word in str(name).lower() for word in _CREDIT_WORDS):
                yield value


def _told(found: standing.Standing) -> dict:
    told = {"ok": bool(found.accepted and found.category is None), **asdict(found)}
    return {name: value for name, value in told.items() if value is not None and name != "accepted"}


# -- the service's own program ---------------------------------------------------------------------------


def _program(
    where: ConnectionFlags, provider: providers.Provider, base_url: str | None
) -> tuple[program.Program | None, dict]:
    """The service's own program, where it can be used, and what is to be said about it."""
    if provider.cli is None or base_url is None:
        return None, {"cli_available": False}
    found, problem = look_for_program(provider, base_url)
    problem = found.check() if found else problem
    if found is None or problem:
        return None, {"cli_available": False, "cli_problem": plain(problem), "cli_install": provider.cli["install"]}
    told = {"cli_available": True, "cli_source": found.source, "cli_version": plain(found.version() or "unknown")}
    if found.misses_proxy:
        problem = f"{found.name} does not go through the proxy that the environment names"
        return None, {**told, "cli_problem": problem}
    if found.login_problem:
        told["cli_problem"] = plain(found.login_problem)
    return found, {**told, "cli_doctor": "not_run"}


def _diagnosed(console: Console, found: Readiness, cli: program.Program, key: keys.Key | None) -> Readiness:
    """What the program's own check says; where it fails and the service takes the key all the same, REST is left."""
    told = cli.doctor(key)
    told["cli_checks"] = [
        {name: console.plain(value) if isinstance(value, str) else value for name, value in check.items()}
        for check in told["cli_checks"]
    ]
    report = {**found.report, **told}
    if told["cli_doctor"] != "passed" and found.blocked is None:
        if key is None or key.value is None or not report.get("online", {}).get("ok"):
            return _blocked(replace(found, report=report), KEY_REFUSED, f"a check that {cli.name} passes")
        report["recommended_mode"] = "rest"
    if found.is_programs_login and found.blocked is None and (left := cli.balance()):
        return replace(found, report={**report, "balance": left}, balance=left, is_empty=left["amount"] <= 0)
    return replace(found, report=report)
