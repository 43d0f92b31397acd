"""Which fields of a request change what it costs. Pure.

A field counts unless it is known to cost nothing: a name that nobody here has heard of may be anything.

settings     every field of a request that changes its cost, with its value, also where the contract's default holds
counting     those of them in which the service counts results
measured     how much of what a price is of one result is, and which of them say so
outside      those that a price does not count
are_covered  whether one request costs no more than another by its settings
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from ..base import canonical
from ..base.pointer import escaped
from ..base.regex import regex
from ..base.text import is_number
from ..media import inputs
from .descriptor import Route

_THINGS = (
    "(image|picture|photo|video|clip|output|result|sample|variant|variation|generation|candidate|artifact|asset|audio"
    "|song|track|completion|prediction)s?"
)
# How many results are asked for, in any spelling; names are compared without case and separators.
_COUNTS = regex(
    rf"n|count|quantity|copies|batch(size|count|number)?|(num|number|max|total|n)(of)?{_THINGS}|{_THINGS}(count|number|num)"
    rf"|{_THINGS}per(prompt|request)"
)
SECONDS = ("duration", "seconds", "durationseconds", "durations", "lengthseconds", "videolength")
# What is made differs, not how much of it. Nothing here makes more, larger, longer or finer results.
_FREE = frozenset(
    """
    seed negativeprompt textnegativeprompt language languagecode languages color colors colorpalette background
    backgroundcolor
    guidance guidancescale cfg cfgscale temperature topp topk strength promptstrength imageguidancescale
    stability similarityboost usespeakerboost exaggeration
    enablesafetychecker enableoutputsafetychecker disablesafetychecker safetytolerance safetysettings safetyidentifier
    moderation contentmoderation watermark
    syncmode webhook webhookurl webhookeventsfilter webhookconfig callbackurl user enduserid labels intent metadata
    """.split()
)
# Words, of which only speech is charged by their number.
_WORDS = frozenset("prompt prompttext positiveprompt systemprompt instructions systeminstruction".split())
_SPOKEN = frozenset("text script transcript lyrics ssml inputtext nexttext previoustext".split())
_SHAPES = frozenset(("aspectratio", "ratio", "targetaspectratio"))
_SHAPE = regex(r"\d{1,2}:\d{1,2}|auto|square|portrait|landscape", re.I)
_FORMATS = frozenset(("outputformat", "format", "fileformat", "responseformat"))
_FORMAT = regex(r"png|jpe?g|webp|mp3|wav|flac|opus|ogg|mp4|webm|glb|url|b64_json", re.I)
_PICTURE = regex(
    r"(.*(image|img|frame|mask|photo|picture|reference))s?(urls?|uris?|inputs?|assetids?|ids?)?|inputassetid|image\[\]"
)
# What prices are given a range for; a field that makes one result a series of them is none of it.
_IN_A_RANGE = regex(r"size|quality|resolution|audio|sound|reference|image|picture|duration|ratio")
_ADDRESS = regex(r"[a-z][a-z0-9+.-]*:|/|(asset|image|file)_", re.I)
# What a price can be of that is one result, whatever it holds.
_ONE_RESULT = frozenset("output image video audio sound song track generation request run prediction file".split())
_DURATIONS = {"second": 1, "minute": 60}
_SIZES = frozenset(("size", "imagesize"))
_CHARACTERS = re.compile(r"(?:(1,?000|1 ?k|thousand) )?character")
# What lies deeper is not looked at, and makes the cost unknown.
_DEEPEST = 50
# What these tasks do is measured by the file that they begin with, and what that one does by the words.
_MEASURED_BY_FILE = frozenset(("upscale", "rmbg", "v2v", "stt", "sts"))
_MEASURED_BY_WORDS = frozenset(("tts",))


class Setting(NamedTuple):
    """One field that changes the cost.

    value     as given, else the contract's default; of words that are charged, how many characters they have
    is_usual  whether it is what holds where nothing is given
    at_most   whether less of it costs no more
    is_known  whether the contract has the field
    """

    value: Any
    is_usual: bool = False
    at_most: bool = False
    is_known: bool = False


class Asked(NamedTuple):
    """What is known of a request besides its fields.

    rows   the contract's fields, as contracts.Operation.fields gives them; empty where there is no contract
    tasks  what may be made; empty where nobody knows
    free   fields at the top that the service's descriptor says do not cost anything
    """

    route: Route
    rows: Iterable[dict] = ()
    tasks: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()


def settings(payload: dict, asked: Asked) -> dict[str, Setting]:
    """Pointer -> the Setting of each field that changes the cost; files as the ledger's notes, addresses or stand-ins."""
    return dict(_walk(payload, list(asked.rows), "", asked))


def _walk(given: dict, rows: list[dict], at: str, asked: Asked) -> Iterator[tuple[str, Setting]]:
    known = {row["name"]: row for row in rows if row["name"] != "*"}
    for name in dict.fromkeys((*known, *given)):
        pointer, row = f"{at}/{escaped(str(name))}", known.get(name, {})
        if not (at == "" and name in asked.free) and pointer != asked.route.model:
            for place, setting in _field(name, given.get(name), row, pointer, asked):
                yield place, setting._replace(is_known=setting.is_known or (place == pointer and name in known))


def _field(name: str, value: Any, row: dict, pointer: str, asked: Asked) -> Iterator[tuple[str, Setting]]:
    usual = _usual(row, pointer, asked.route)
    nested = row.get("fields") or []
    is_object = nested and not str(row.get("type", "")).startswith("array")
    if value is None and is_object:
        value = {}
    if value is None:
        value = usual
    plain = re.sub(r"[^a-z0-9\[\]]", "", name.lower())
    if value is None or _is_free(plain, value, pointer, asked):
        return
    if isinstance(value, str) and (plain in _SPOKEN or plain in _WORDS or pointer in asked.route.prompt):
        yield pointer, Setting(len(value), at_most=True)
    elif _is_picture(plain, value, asked):
        number = len(value) if isinstance(value, list) else 1
        yield pointer, Setting(number, is_usual=number == 1, at_most=True)
    elif pointer.count("/") > _DEEPEST:
        yield pointer, Setting(float("nan"))  # equal to nothing, not even to itself
    elif isinstance(value, dict) and inputs.identity_of(value) is None:
        yield from _walk(value, nested, pointer, asked)
    elif isinstance(value, list) and any(isinstance(item, dict) and inputs.identity_of(item) is None for item in value):
        yield pointer, Setting(len(value))
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield from _walk(item, nested, f"{pointer}/{number}", asked)
    else:
        yield pointer, Setting(value, usual is not None and canonical.value(value) == canonical.value(usual))


def _usual(row: dict, pointer: str, route: Route) -> Any:
    """What a field is where nobody says anything else: by the descriptor, by the contract, or for want of a choice."""
    if pointer in route.constants:
        return route.constants[pointer]
    below = f"{route.fields}/"
    if pointer.startswith(below) and pointer[len(below) :] in route.defaults:
        return route.defaults[pointer[len(below) :]]
    allowed = row.get("allowed_values", ())
    return row.get("default", allowed[0] if len(allowed) == 1 else None)


def _is_free(plain: str, value: Any, pointer: str, asked: Asked) -> bool:
    if plain in _FREE:
        return True
    if plain in _WORDS or pointer in asked.route.prompt:
        return bool(asked.tasks) and not asked.tasks & _MEASURED_BY_WORDS
    known = (plain in _SHAPES, _SHAPE), (plain in _FORMATS, _FORMAT)
    return isinstance(value, str) and any(named and form.fullmatch(value) for named, form in known)


def _is_picture(plain: str, value: Any, asked: Asked) -> bool:
    """Whether it is one picture or several; which ones, costs nothing where they are only begun with."""
    if not asked.tasks or asked.tasks & _MEASURED_BY_FILE or not _PICTURE.fullmatch(plain):
        return False
    return all(map(_is_file, value if isinstance(value, list) else [value]))


def _is_file(value: Any) -> bool:
    """Whether a value is a file: an address, a name, a note of the ledger's, or an object with nothing but one."""
    if isinstance(value, str):
        return _ADDRESS.match(value) is not None
    if isinstance(value, dict) and inputs.identity_of(value) is None:
        return len(value) == 1 and all(map(_is_file, value.values()))
    return isinstance(value, dict)


# -- what a price counts ------------------------------------------------------------------------------


def measured(per: str, found: dict[str, Setting], route: Route) -> tuple[Decimal, list[str]] | None:
    """`(how much of it one result is at the most, the settings that say so)`; None where that is not known.

    per  what a price is of, in the singular: image, second, megapixel, 1000 character
    """
    if per in _ONE_RESULT:
        return Decimal(1), []
    if per in _DURATIONS:
        return _only(found, [at for at in found if is_seconds(at)], _seconds, _DURATIONS[per])
    if per == "megapixel":
        return _megapixels(found)
    words = _CHARACTERS.fullmatch(per)
    if words is None:
        return None
    spoken = [at for at in found if found[at].at_most and _is_of_words(at, route)]
    step = Decimal(1000 if words[1] else 1)
    length = sum(Decimal(found[at].value) for at in spoken)
    return (Decimal(math.ceil(length / step)), spoken) if spoken else None


def _only(found: dict[str, Setting], pointers: list[str], read, unit: int) -> tuple[Decimal, list[str]] | None:
    """What the one of these settings says that there must be."""
    value = read(found[pointers[0]].value) if len(pointers) == 1 else None
    return (Decimal(str(value)) / unit, pointers) if is_positive(value) else None


def _seconds(value):
    """How many, also where they are written as a text: "8", "8s"."""
    written = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)s?", value) if isinstance(value, str) else None
    return float(written[1]) if written else value


def _megapixels(found: dict[str, Setting]) -> tuple[Decimal, list[str]] | None:
    """Of a size that is told in pixels: begun ones count, as services count them that say how."""
    sides = [[at for at in found if _plain_name(at) in names] for names in (("width",), ("height",))]
    whole = [at for at in found if _plain_name(at) in _SIZES and isinstance(found[at].value, str)]
    if [len(one) for one in sides] == [1, 1] and not whole:
        (wide,), (high,) = sides
        numbers, pointers = [found[wide].value, found[high].value], [wide, high]
    elif len(whole) == 1 and not any(sides):
        size = re.fullmatch(r"([0-9]{1,5})[x*]([0-9]{1,5})", found[whole[0]].value)
        numbers, pointers = [*map(int, size.groups())] if size else [], whole
    else:
        return None
    if not numbers or not all(map(is_positive, numbers)):
        return None
    pixels = Decimal(str(numbers[0])) * Decimal(str(numbers[1]))
    return Decimal(math.ceil(pixels / 1_000_000)), pointers


def _is_of_words(pointer: str, route: Route) -> bool:
    return _plain_name(pointer) in _SPOKEN | _WORDS or pointer in route.prompt


def is_positive(value) -> bool:
    """Whether a value is a number of which there can be so many."""
    return is_number(value) and 0 < value < float("inf")


def is_seconds(pointer: str) -> bool:
    """Whether a field says how long a result is to be."""
    return _plain_name(pointer) in SECONDS


def _plain_name(pointer: str) -> str:
    return re.sub(r"[^a-z0-9]", "", pointer.rpartition("/")[2].lower())


def outside(found: dict[str, Setting], counted: Iterable[str], is_largest: bool = False) -> list[str]:
    """The fields that change the cost and that a price of one result, times `counted`, does not count.

    is_largest  whether it is the price of the dearest result that the contract's fields can ask for
    """
    return [at for at, setting in found.items() if at not in counted and not _is_counted(at, setting, is_largest)]


def _is_counted(pointer: str, setting: Setting, is_largest: bool) -> bool:
    if _COUNTS.fullmatch(_plain_name(pointer)):
        # That four are usual is no price of four.
        return setting.value == 1 and not isinstance(setting.value, bool)
    return setting.is_usual or (is_largest and setting.is_known and bool(_IN_A_RANGE.search(_plain_name(pointer))))


def counting(found: dict[str, Setting], route: Route) -> list[str]:
    """The fields in which a service counts results by its descriptor: none, one, or two that multiply."""
    return [at for at in dict.fromkeys((f"/{route.count}", f"{route.fields}/{route.count}")) if at in found]


def are_covered(wanted: dict[str, Setting], before: dict[str, Setting]) -> bool:
    """Whether `wanted` costs no more than `before` as far as fields tell: all equal, and no more of what is measured."""
    return wanted.keys() == before.keys() and all(_is_covered(wanted[at], before[at]) for at in wanted)


def _is_covered(one: Setting, other: Setting) -> bool:
    if one.at_most and other.at_most:
        return one.value <= other.value
    return canonical.value(one.value) == canonical.value(other.value)
