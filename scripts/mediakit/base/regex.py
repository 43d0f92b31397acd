"""Regular expressions that are compiled when they are first used.

regex  as re.compile, for the head of a room: a start reads dozens of rooms, and uses few of their expressions
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from typing import Any, AnyStr, cast
else:

    def cast(_, given):
        return given


def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As re.compile takes and gives them."""
    return cast("re.Pattern[AnyStr]", _Uncompiled(text, flags))


class _Uncompiled:
    """Compiles itself at the first question, and remembers the answer to each."""

    def __init__(self, text: Any, flags: int):
        self._given = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._given), name)  # `re` keeps what it has compiled
        setattr(self, name, found)
        return found
