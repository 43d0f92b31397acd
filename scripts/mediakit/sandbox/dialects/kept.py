"""What an action keeps, and what another one finds again: `when`, `keeps` and `finds` of an example's answer."""

from __future__ import annotations

from ...base.times import rfc3339
from ...services import examples

_HOUR = 3600.0


class Conflict(Exception):
    """Something else was kept under the same value; its argument is the example of `refused` that says so."""


class Missing(Exception):
    """Nothing was kept under that id."""


def fitting(told, given: dict) -> dict | None:
    """The answer whose `when` holds for what is given; None where none does. One without a body has the last one's."""
    answers = told if isinstance(told, list) else [told]
    found = next((one for one in answers if all(given.get(at) == is_ for at, is_ in one.get("when", {}).items())), None)
    return found and {**{name: answers[-1][name] for name in ("body", "http") if name in answers[-1]}, **found}


def words(store, told: dict, given: dict, known: dict) -> dict:
    """The placeholders {kept:…} and {found:…} of an answer; keeps what is to be kept.

    known  the placeholders that stand in the ids

    Raises Conflict and Missing.
    """
    found: dict = {}
    if "finds" in told:
        record = store.record(told["finds"]["kind"], str(examples.filled(told["finds"]["id"], known)))
        if record is None:
            raise Missing
        found["found"] = _words_of(record)
    if "keeps" in told:
        rules, own = told["keeps"], {**told["keeps"].get("more", {}), **given}
        by = own.get(rules.get("by", ""))
        new_id = str(examples.filled(rules["id"], known))
        if by is not None:  # the first one kept under that value stays the one that it is about
            first = store.keep(f"{rules['kind']} {rules['by']}", str(by), {"id": new_id, "given": own}).body
            if first["given"] != own:
                raise Conflict(rules.get("else", 409))
            new_id = first["id"]
        is_new = store.record(rules["kind"], new_id) is None
        found["kept"] = {
            **_words_of(store.keep(rules["kind"], new_id, own)),
            "state": rules.get("states", ["", ""])[not is_new],
        }
    return found


def _words_of(record) -> dict:
    times = {"time": rfc3339(record.created), "in_an_hour": rfc3339(record.created + _HOUR)}
    return {**record.body, **times, "id": record.id}
