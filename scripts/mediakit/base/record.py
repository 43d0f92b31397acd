"""Small values that never change: frozen dataclasses in all but what they cost to load.

record   decorates a class whose annotations are its fields
field    in place of a default: one made anew for each value, or none at all and something to remember of the field
fields   the names of the fields of a class or a value
about    name -> the metadata of a field that has some
replace  a copy with some fields changed
asdict   the fields by name, not those of values inside them

Why not `dataclasses`: it imports `inspect` and compiles every class anew at each start of a script. Together that is
more than half of what bare Python takes to start.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, which takes long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_):
        return lambda decorator: decorator


class _Field:
    def __init__(self, default_factory, metadata):
        self.default_factory = default_factory
        self.metadata = metadata


def field(*, default_factory: Callable[[], Any] | None = None, metadata: Any = None) -> Any:
    """What stands in place of a default in the body of a record."""
    return _Field(default_factory, metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """The class with a constructor, comparison, hash and text made of its fields; its values cannot be changed.

    What the class defines itself stays. Fields of its bases come first.
    """
    given: dict[str, Any] = {}
    for part in reversed(cls.__mro__):
        for name in getattr(part, "__annotations__", ()):  # before Python 3.10, of a class without any, its base's
            if name in part.__dict__ or name not in given:
                given[name] = part.__dict__.get(name, _Field(None, None))
    special = {name: one for name, one in given.items() if isinstance(one, _Field)}
    made = {
        "__init__": _constructor(
            cls.__name__,
            tuple(given),
            {name: default for name, default in given.items() if name not in special},
            {name: one.default_factory for name, one in special.items() if one.default_factory},
        ),
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__eq__": _is_equal,
        "__hash__": _hash,
        "__repr__": _text,
        "_fields": tuple(given),
        "_about": {name: one.metadata for name, one in special.items() if one.metadata is not None},
    }
    for name, value in made.items():
        if name not in cls.__dict__:
            setattr(cls, name, value)
    return cls


def fields(one) -> tuple[str, ...]:
    return one._fields


def about(one) -> dict[str, Any]:
    return one._about


def replace(one: T, **changed) -> T:
    names = one._fields  # type: ignore[attr-defined]
    if not changed.keys() <= set(names):
        raise TypeError(f"{type(one).__name__} has the fields {', '.join(names)}")
    copy, known = object.__new__(type(one)), one.__dict__
    # Past the constructor, which would look at every field again; what else the value may hold is not copied.
    copy.__dict__.update({name: known[name] for name in names}, **changed)
    return copy


def asdict(one) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one._fields}


def _constructor(of: str, names: tuple[str, ...], defaults: dict[str, Any], factories: dict[str, Callable[[], Any]]):
    known = frozenset(names)

    def __init__(self, *values, **named):
        state = self.__dict__
        if not named and len(values) == len(names):
            return state.update(zip(names, values))
        state.update(defaults)
        state.update(zip(names, values))
        state.update(named)
        if len(values) > len(names) or not named.keys() <= known or not named.keys().isdisjoint(names[: len(values)]):
            raise TypeError(f"{of} has the fields {', '.join(names)}, each given once")
        for name, factory in factories.items():
            if name not in state:
                state[name] = factory()
        if len(state) < len(names):
            raise TypeError(f"{of} needs {', '.join(name for name in names if name not in state)}")

    return __init__


def _refuse(self, name, *_):
    raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")


def _values(one) -> tuple:
    return tuple(getattr(one, name) for name in one._fields)


def _is_equal(self, other):
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self) -> int:
    return hash(_values(self))


def _text(self) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"
