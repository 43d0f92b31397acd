"""What answers say by the rules of a descriptor. Pure.

    Reading         what one answer says about a job
    reading, outputs, amount   by the rules of descriptor; what an answer says that is no success: refusals

Where a thing stands in an answer is a JSON Pointer of the descriptor; nothing is ever found by
searching an answer for likely-looking keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from ..base.pointer import first, placed, point
from ..base.record import record
from ..base.regex import regex
from ..base.text import is_number, same
from . import trust

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any

    Made = Callable[[str, str | None], str | None]

    from .descriptor import Condition, CostRule, Fact, JobRules, OutputRule, StateRule

TERMINAL_STATES = frozenset(("succeeded", "failed", "canceled"))
# What services say beside the words that they document, when a job is done and its results are there.
FINISHED_WORDS = frozenset(
    "complete completed done finish finished ok ready succeed succeeded success successful".split()
)

# What stands encoded in an address, and is written plainly by some.
_ODD = regex(r"[ \x80-\U0010ffff]+")
_LONGEST_WORD = 200
_LARGEST_WALK = 10_000
_LARGEST_BILL = 1e12
_DEEPEST_FILE, _MOST_FILES = 12, 1000
# Of a text that may be an address; enough for the blanks before one, its scheme and its host.
_LONGEST_START = 1000


@record
class Reading:
    """What an answer says about a job; every part may be missing.

    id, status  the service's words
    state       ours; None where no rule of the descriptor fits
    body        the whole answer
    progress    from 0 to 1; position: jobs before it in the queue
    headers     of the answer, where what the job has cost may stand
    outputs     the results themselves, where the whole answer is one; None where they stand in the body
    is_guessed  whether the state comes from a word that the service does not document, with the results beside it
    """

    id: str | None
    status: str | None
    state: str | None
    body: Any
    progress: float | None = None
    position: int | None = None
    is_guessed: bool = False
    headers: Any = None
    outputs: list[dict] | None = None


def is_media_url(value: Any) -> bool:
    """Whether a value of an answer is something a result can be fetched from."""
    return media_url(value) is not None


def media_url(value: Any) -> str | None:
    """The address in a value of an answer, without the blanks around it; one that leaves out its scheme has https."""
    if not isinstance(value, str):
        return None
    begin = value[:_LONGEST_START].lstrip()
    if re.match(r"(?i)https?://|data:", begin):
        return value.strip()
    return f"https:{value.strip()}" if re.match(r"//[\w-]+(\.[\w-]+)+(:\d+)?/", begin) else None


# -- states --------------------------------------------------------------------------------------------


def reading(
    job: JobRules, rules: tuple[StateRule, ...], body: Any, has_outputs: Callable[[], bool], is_result: bool = False
) -> Reading:
    """What an answer says about a job.

    has_outputs  () -> whether the answer holds results
    is_result    whether the answer to a create may be the result itself, without a status
    """
    rule = next((rule for rule in rules if _applies(rule, body, has_outputs)), None)
    status, state, is_guessed = _status(rules, rule, body), rule.state if rule else None, False
    if rule is None and is_result and has_outputs():
        state = "succeeded"
        status = status or _first_word(rules, state)
    elif rule is None and status and status.lower() in FINISHED_WORDS and has_outputs():
        state, is_guessed = "succeeded", True
    its_id = trust.usable_id(first(body, job.ids), job.like)
    return Reading(its_id, status or state, state, body, is_guessed=is_guessed)


def _applies(rule: StateRule, body: Any, has_outputs: Callable[[], bool]) -> bool:
    return holds(rule.when, body) and not (rule.unless_outputs and has_outputs())


def holds(when: Condition, value: Any) -> bool:
    """Whether a value meets a condition. Values are typed; words are compared without case."""
    found = first(value, when.at)
    if when.values is None or found is None:
        return found is not None
    return any(same(_folded(found), _folded(wanted)) for wanted in when.values)


def _folded(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _status(rules: tuple[StateRule, ...], matched: StateRule | None, body: Any) -> str | None:
    """The service's own word for where the job is: where the rule that fits looks, else where the others do."""
    if matched is not None and matched.when.values is not None:
        named = first(body, matched.when.at)
        if isinstance(named, str) and (word := _word(named)):
            return word
    naming = [rule for rule in rules if rule.when.values is not None]
    naming.sort(key=lambda rule: (rule is not matched, rule.state in ("failed", "canceled")))
    found = [first(body, rule.when.at) for rule in naming]
    words = (word for value in found if isinstance(value, str) and (word := _word(value)))
    typed = (rule.when.values for rule in naming)
    flags = (json.dumps(value) for value, told in zip(found, typed) if any(type(value) is type(one) for one in told))
    return next(words, None) or next((flag for flag in flags if not flag.startswith('"')), None)


def _first_word(rules: tuple[StateRule, ...], state: str) -> str | None:
    words = (value for rule in rules if rule.state == state for value in rule.when.values or ())
    return next((word for word in words if isinstance(word, str)), None)


def _word(text: str) -> str:
    """A word of an answer that is told and written down: bounded, and one that can be written as UTF-8."""
    text = text.strip()
    text = text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)
    # Not cut: the half of a key that was in it would not be recognised any more.
    return text if len(text) <= _LONGEST_WORD else f"({len(text)} characters)"


# -- outputs -------------------------------------------------------------------------------------------


def outputs(rules: tuple[OutputRule, ...], body: Any, made: Made | None = None) -> list[dict]:
    """`{url, type, media_type, width, height, duration}` for each result, without what is unknown.

    What the answer itself holds has a data URL, and a text also `text`; `with_key` is true where a file is only
    had with the key.

    made  (a path, None) or (an address without its beginning, what that is) -> the address, None where it has none;
          without it none is made of a path, and the other is at a host that nobody knows
    """
    for rule in rules:
        found = [output for output in _found(rule, body, made) if output]
        if found:
            return list({output["url"]: output for output in reversed(found)}.values())[::-1]
    return _silence(rules, body)


def _silence(rules: tuple[OutputRule, ...], body: Any) -> list[dict]:
    """What was made of a recording in which nobody speaks: a text without a word, where nothing but a text stands."""
    others = {at for rule in rules if rule.text is None for at in (rule.walk, *(rule.each or ())) if at is not None}
    silent = (rule for rule in rules if rule.text is not None and rule.each is None and rule.text not in others)
    found = (_output(rule, None, body, body, may_be_empty=True) for rule in silent)
    return [output for output in found if output][:1]


def outputs_at(body, places: list[dict], kind: str | None) -> list[dict]:
    """As JobAnswers.outputs, for places that hold one result each: the first where there is one."""
    from . import descriptor

    for place in places:
        facts = {name: descriptor.Fact(at) for name, at in place.items() if name not in ("at", "url")}
        rule = descriptor.OutputRule(each=(place["at"],), url=place["url"], facts=facts)
        found = outputs((rule,), body)
        if found:
            return [{**({"type": kind} if kind else {}), **output} for output in found[:1]]
    return []


def _found(rule: OutputRule, body: Any, made: Made | None) -> Iterator[dict | None]:
    if rule.path is not None:
        return (_output(rule, made(rule.path, None), None, body) for _ in range(made is not None))
    if rule.walk is not None:
        return (_output(rule, _link(rule, entry), entry, body) for entry in _walked(rule, point(body, rule.walk)))
    entries = [body] if rule.each is None else _entries(rule, body)
    return (
        _output(rule, _with_beginning(rule, _link(rule, entry), made), entry, body) for entry in entries[:_LARGEST_WALK]
    )


def _with_beginning(rule: OutputRule, url: Any, made: Made | None) -> Any:
    """An address with its beginning, where the descriptor says what that is."""
    if rule.relative_to is None or not isinstance(url, str) or is_media_url(url):
        return url
    url = _ODD.sub(_encoded, url.strip())
    # A path, or what stands below one: no scheme, no other host, nothing that a reader of addresses could skip.
    if not re.fullmatch(r"(?![/\\]{2})[!-\[\]-~]{1,2048}", url) or re.match(r"[^/?#]*:", url):
        return None
    return made(url, rule.relative_to) if made else f"https://unknown.invalid/{url}"


def _encoded(found: re.Match) -> str:
    from urllib.parse import quote  # which takes long to import, and hardly an address needs it

    return quote(found[0], errors="replace")


def _entries(rule: OutputRule, body: Any) -> list:
    """The values that the levels of `each` lead to; a level that is no array is its own single entry."""
    found = [body]
    for depth, at in enumerate(rule.each or ()):
        inner = [point(value, at) for value in found]
        found = [entry for value in inner for entry in (value if isinstance(value, list) else [value])]
        when = rule.where[depth] if depth < len(rule.where) else None
        if when:
            found = [entry for entry in found if holds(when, entry)]
    return [entry for entry in found if entry is not None]


def _walked(rule: OutputRule, value: Any) -> list:
    nodes = list(_walk(value))
    if rule.url is not None:
        objects = [node for node in nodes if isinstance(node, dict) and is_media_url(point(node, rule.url))]
        if objects:
            return objects
    return [node for node in nodes if is_media_url(node)]


def _walk(value: Any) -> Iterator[Any]:
    """Every object and string below a value, in document order, without recursion, at most _LARGEST_WALK."""
    pending, count = [value], 0
    while pending and count < _LARGEST_WALK:
        node = pending.pop()
        count += 1
        if isinstance(node, dict):
            yield node
            pending.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            pending.extend(reversed(node))
        elif isinstance(node, str):
            yield node


def _link(rule: OutputRule, entry: Any) -> Any:
    """The address of an entry; None where its content stands in the answer."""
    if rule.base64 is not None or rule.text is not None:
        return None
    return entry if isinstance(entry, str) or rule.url is None else point(entry, rule.url)


def _output(rule: OutputRule, url: Any, entry: Any, body: Any, may_be_empty: bool = False) -> dict | None:
    facts = {name: _fact(fact, entry, body) for name, fact in rule.facts.items()}
    media_type = facts.pop("media_type", None) or _of_format(facts.pop("format", None))
    said = {}
    if rule.text is not None:
        text = _whole(point(entry, rule.text))
        if not isinstance(text, str) or not (may_be_empty or text.strip()):
            return None
        url, media_type, said = _data_url("text/plain;charset=utf-8", text), "text/plain", {"text": text}
    elif rule.base64 is not None:
        content = point(entry, rule.base64)
        if not isinstance(content, str) or not content:
            return None
        is_whole = content[:_LONGEST_START].lstrip().lower().startswith("data:")
        url = content.strip() if is_whole else f"data:{_of_data(media_type)};base64,{content}"
    else:
        url = media_url(url)
        if url is None:
            return None
    own_type = facts.pop("type", None)
    told = rule.facts.get("type")
    of_media = media_type.partition("/")[0] if isinstance(media_type, str) else None
    kind = (of_media or own_type) if told and told.of_body else (own_type or of_media)
    found = {"url": url, "type": kind, "media_type": media_type, **facts, **said}
    found = {name: value for name, value in found.items() if _fits(name, value)}
    return {**found, "with_key": True} if rule.with_key else found


def _whole(text: Any) -> Any:
    """A text that was made piece by piece, put together."""
    is_in_pieces = isinstance(text, list) and text and all(isinstance(piece, str) for piece in text)
    return "".join(text) if is_in_pieces else text


def _fact(fact: Fact, entry: Any, body: Any) -> Any:
    found = point(body if fact.of_body else entry, fact.at)
    return fact.otherwise if found is None else found


def _of_format(word: Any) -> str | None:
    if not isinstance(word, str):
        return None
    from ..media import formats

    return formats.known(word)


def _of_data(media_type: Any) -> str:
    """A media type as a data: URL can have it: one of two, and without the comma at which the content would begin."""
    found = (
        re.match(r"\s*([\w.+-]+/[\w.+-]+(?:\s*;\s*[\w.+=-]+)*)", media_type) if isinstance(media_type, str) else None
    )
    return found[1].lower() if found else "application/octet-stream"


def _data_url(media_type: str, text: str) -> str:
    import base64

    return f"data:{media_type};base64," + base64.b64encode(text.encode("utf-8", "replace")).decode()


def _fits(name: str, value: Any) -> bool:
    return is_number(value) if name in ("width", "height", "duration") else isinstance(value, str)


def can_be_file(media_type: str) -> bool:
    """Whether an answer of this type that is no JSON can be a result: damaged JSON and a gateway's page are none."""
    media_type = media_type.partition(";")[0].strip().lower()
    return not (media_type in ("application/json", "text/html") or media_type.endswith("+json"))


def file_in(content: bytes, media_type: str) -> dict:
    """The output that a whole answer is: a file, or a text."""
    from ..http import held

    media_type = _of_data(media_type).partition(";")[0]
    kind = media_type.partition("/")[0]
    found = {"url": f"data:{media_type};base64,{held.encoded(content)}", "type": kind}
    if kind == "text":
        found["text"] = content.decode("utf-8", "replace")
    return {**found, "media_type": media_type}


# Base64 of fewer characters is as likely a word, and of more than these its first ones tell what it is.
_SHORTEST_BASE64, _SNIFFED_BASE64 = 60, 4096
# Under these names an answer repeats what it was asked.
_ECHOES = frozenset("input inputs request payload params parameters arguments args prompt echo".split())


def results_in(content: bytes, body: Any, media_type: str, of_text: bool) -> list[dict]:
    """The outputs that an answer holds where a job's id was expected; empty for an answer that is no result.

    body     its JSON value; None for what is no JSON
    of_text  whether a text was asked for: elsewhere words are no result
    """
    if body is not None:
        found = list(_texts_of_files(body))
        return found or ([_as_text(body)] if of_text and isinstance(body, str) and body.strip() else [])
    from ..media import formats

    head = content[: formats.HEAD]
    seen = formats.sniff(head)
    declared = media_type.partition(";")[0].strip().lower()
    is_written = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{", b"[", b"")
    if seen is not None and formats.kind_of(seen) in formats.MEDIA:
        return [file_in(content, seen)]
    if declared.partition("/")[0] in formats.MEDIA and not is_written and not head.isascii():
        return [file_in(content, declared)]
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    found = _file_in_text(text)
    if found:
        return [found]
    if of_text and declared == "text/plain" and content and not content.strip():
        return [_as_text("")]  # of a recording in which nobody speaks
    # Subtitles are seen as such, whatever they are called; other words are none where they are called something else.
    is_subtitles = seen is not None and formats.kind_of(seen) == "text"
    is_plain = (is_subtitles or declared in ("", "text/plain", "application/octet-stream")) and not is_written
    return [_as_text(content.decode("utf-8", "replace"))] if of_text and is_plain else []


def _as_text(text: str) -> dict:
    return {**file_in(text.encode("utf-8", "replace"), "text/plain"), "text": text}


def _texts_of_files(value: Any, depth: int = 0) -> Iterator[dict]:
    if isinstance(value, str):
        found = _file_in_text(value)
        if found:
            yield found
    elif isinstance(value, dict) and depth < _DEEPEST_FILE:
        for name, item in value.items():
            if name.lower() not in _ECHOES:
                yield from _texts_of_files(item, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST_FILE:
        for item in value[:_MOST_FILES]:
            yield from _texts_of_files(item, depth + 1)


def _file_in_text(text: str) -> dict | None:
    """The output that a text is: a data: URL of media, or base64 whose first bytes are those of media."""
    from ..media import formats, links

    if links.is_data(text):
        media_type = text.strip()[5:].partition(",")[0].partition(";")[0].strip().lower()
        is_media = media_type.partition("/")[0] in formats.MEDIA
        return (
            {"url": text.strip(), "type": media_type.partition("/")[0], "media_type": media_type} if is_media else None
        )
    start = re.match(r"[A-Za-z0-9+/_=\s-]*", text[:_SNIFFED_BASE64])
    if start is None or len(text) < _SHORTEST_BASE64 or start.end() < _SHORTEST_BASE64:
        return None
    if start.end() < min(len(text), _SNIFFED_BASE64) and not text.startswith("(held:", start.end()):
        return None
    try:
        head = b"".join(links.base64_of([start[0][: start.end() // 4 * 4].encode()]))
    except ValueError:
        return None
    seen = formats.sniff(head[: formats.HEAD])
    if seen is None or formats.kind_of(seen) not in formats.MEDIA:
        return None
    return {"url": f"data:{seen};base64,{text.strip()}", "type": formats.kind_of(seen), "media_type": seen}


# -- costs ---------------------------------------------------------------------------------------------


def amount(rules: tuple[CostRule, ...], body: Any, headers=None, of: tuple[str, ...] = ()):
    """What the first rule that finds a number makes of an answer, as an amounts.Amount; None for none.

    of  what the answer is: create, read, result; empty where that is not known. What a create is answered can tell
        what any later answer does
    """
    for rule in rules:
        if of and "create" not in of and rule.of is not None and rule.of not in of:
            continue
        if rule.unless is not None and holds(rule.unless, body):
            continue
        found = point(body, rule.at) if rule.at is not None else (headers or {}).get(rule.header or "")
        found = written_number(found) if isinstance(found, str) else found
        if is_number(found) and found >= 0:
            from ..base import amounts  # exact numbers take long to import, and most scripts bill nothing

            # An absurd bill is a bill: it counts as the most that there is.
            return amounts.Amount.of(min(found, _LARGEST_BILL), rule.unit).times(rule.each)
    return None


def number_at(place: str | dict, body: Any, headers=None) -> int | float | None:
    """The number at a place of an answer, see pointer.placed; None for anything else."""
    found = placed(place, body, headers)
    if isinstance(place, dict):
        found = written_number(str(found))
    return found if is_number(found) else None


def written_number(text: str) -> float | None:
    """A number that is written as a text: every header's, and in some services' bodies too."""
    return float(text) if re.fullmatch(r"\s*\d{1,12}(\.\d{1,9})?\s*", text, re.ASCII) else None
