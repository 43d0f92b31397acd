"""Records: what a frozen dataclass does, theirs do, and they load nothing."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from abc import ABC, abstractmethod

import pytest

from conftest import SCRIPTS
from mediakit.base import record


@record.record
class Size:
    width: int
    height: int = 1
    unit: str = "px"

    @property
    def area(self) -> int:
        return self.width * self.height


@dataclasses.dataclass(frozen=True)
class Measured:
    width: int
    height: int = 1
    unit: str = "px"


@record.record
class Named(Size):
    unit: str = "cm"
    names: list = record.field(default_factory=list)


CALLS = [
    ((), {}), ((1,), {}), ((1, 2), {}), ((1, 2, "cm"), {}), ((1, 2, "cm", 4), {}), ((1,), {"width": 2}),
    ((), {"width": 2}), ((1,), {"unit": "m"}), ((), {"height": 2}), ((1,), {"depth": 3}), ((1, 2), {"height": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("values", "named"), CALLS)
def test_the_constructor_takes_what_a_dataclass_takes(values, named):
    try:
        expected = dataclasses.asdict(Measured(*values, **named))
    except TypeError:
        with pytest.raises(TypeError, match="Size"):
            Size(*values, **named)
    else:
        assert record.asdict(Size(*values, **named)) == expected


def test_a_value_cannot_be_changed():
    size = Size(1)
    for change in (lambda: setattr(size, "width", 2), lambda: setattr(size, "new", 2), lambda: delattr(size, "width")):
        with pytest.raises(AttributeError):
            change()
    assert size == Size(1) and size.area == 1


def test_values_compare_hash_copy_and_read_by_their_fields():
    assert Size(1) == Size(1) != Size(2) and hash(Size(1)) == hash(Size(1))
    assert Size(1) != Measured(1) and Size(1, unit="cm") != Named(1)
    assert repr(Size(1)) == repr(Measured(1)).replace("Measured", "Size")
    assert copy.copy(Size(3)) == copy.deepcopy(Size(3)) == Size(3)


def test_fields_of_a_base_come_first_and_a_default_can_be_made_anew():
    assert record.fields(Named) == ("width", "height", "unit", "names")
    one, other = Named(1), Named(1)
    one.names.append("x")
    assert (one.unit, other.names, Named(1, names=["y"]).names) == ("cm", [], ["y"])


def test_a_copy_has_the_changed_fields_and_refuses_others():
    assert record.replace(Size(1, 2), width=5) == Size(5, 2)
    with pytest.raises(TypeError):
        record.replace(Size(1), depth=1)


def test_what_a_class_defines_itself_stays_and_an_abstract_one_makes_no_value():
    @record.record
    class Hidden:
        secret: str

        def __repr__(self) -> str:
            return "Hidden()"

    @record.record
    class Shape(ABC):
        name: str

        @property
        @abstractmethod
        def area(self) -> int: ...

    assert repr(Hidden("x")) == "Hidden()"
    with pytest.raises(TypeError):
        Shape("square")


def test_metadata_stands_for_a_field_without_a_default():
    @record.record
    class Row:
        key: str = record.field(metadata="checked")
        note: str = ""

    assert record.about(Row) == {"key": "checked"}
    with pytest.raises(TypeError, match="needs key"):
        Row()


def test_it_loads_neither_typing_nor_inspect():
    code = "import sys; import mediakit.base.record; print(*({'typing', 'inspect', 'dataclasses'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-S", "-c", code], cwd=SCRIPTS, capture_output=True, text=True)
    assert (ran.stdout.strip(), ran.stderr) == ("", "")
