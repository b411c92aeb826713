"""Each class is declared twice, with the standard library's decorator and with ours: they do the same."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import engine.dataclass

_T = TypeVar("_T")


def declared(kind: ModuleType) -> dict[str, Any]:
    """The classes of these tests, by the name of each, made by the decorator of `kind`."""
    dataclass, field = kind.dataclass, kind.field

    @dataclass
    class Plain:
        """A class."""

        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list)
        shared: ClassVar[int] = 7

    @dataclass(frozen=True, slots=True)
    class Frozen:
        """A class."""

        first: int
        second: bytes = b"two"
        beside: float = field(default=0.5, compare=False)

        @property
        def doubled(self) -> int:
            return self.first * 2

    @dataclass(frozen=True)
    class FrozenOpen:
        """A class."""

        first: int = 1
        beside: str = field(default="", compare=False)

    @dataclass(slots=True)
    class Slots:
        """A class."""

        first: int
        _hidden: dict[str, int] = field(default_factory=dict)

    @dataclass(slots=True, eq=False)
    class Identical:
        """A class."""

        first: int = 1

    @dataclass(slots=True, unsafe_hash=True)
    class Hashed:
        """A class."""

        first: int = 1

    @dataclass(frozen=True, slots=True)
    class OwnHash:
        """A class."""

        first: int = 1

        def __hash__(self) -> int:
            return 12

        def __repr__(self) -> str:
            return "mine"

    @dataclass(frozen=True, slots=True)
    class OwnEq:  # noqa: PLW1641 - its hash is the decorator's
        """A class."""

        first: int = 1

        def __eq__(self, other: object) -> bool:
            return True

    @dataclass(frozen=True, slots=True)
    class Checked:
        """A class."""

        first: int = 1

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("negative")

    @dataclass(frozen=True, slots=True)
    class Heir(Checked):
        """A class."""

        second: int = 2
        first: int = 3

    @dataclass(frozen=True, slots=True)
    class Of(Generic[_T]):
        """A class."""

        first: _T

    @dataclass(frozen=True, slots=True)
    class Empty:
        """A class."""

    class Open(FrozenOpen):
        pass

    found = {name: value for name, value in locals().items() if isinstance(value, type)}
    for name, value in found.items():
        value.__qualname__ = name
        value.__module__ = __name__
    return found


THEIRS = declared(dataclasses)
OURS = declared(engine.dataclass)

# To be pickled, a class has to be found by its name.
globals().update(OURS)


def told(what: Callable[[dict[str, Any]], object], classes: dict[str, Any]) -> object:
    """What comes of it, as text: the same classes lie at different places."""
    try:
        return repr(what(classes))
    except Exception as error:  # noqa: BLE001 - whichever it is, it is to be the same
        return f"{type(error).__name__}: {error}".replace("declared.<locals>.", "")


MADE = {
    "Plain": (1,),
    "Frozen": (1,),
    "FrozenOpen": (),
    "Slots": (1,),
    "Identical": (),
    "Hashed": (),
    "OwnHash": (),
    "OwnEq": (),
    "Checked": (),
    "Heir": (),
    "Of": (1,),
    "Empty": (),
    "Open": (),
}
# Without such a field, a class with slots of the standard library raises a TypeError that means nothing.
SAME: dict[str, Callable[[Any, Any], object]] = {
    "the values": lambda cls, made: [getattr(made, one.name) for one in dataclasses.fields(cls)],
    "equal to one like it": lambda _, made: made == copy.copy(made),
    "unequal to one that differs": lambda cls, made: made == cls(2),
    "unequal to a tuple": lambda _, made: made == (1,),
    "hash": lambda _, made: hash(made) == hash(copy.copy(made)) and hash(made) < 1 << 62,
    "repr": lambda _, made: "" if "object at" in repr(made) else made,
    "fields": lambda cls, _: [(f.name, f.type, f.compare, f.default) for f in dataclasses.fields(cls)],
    "is one": lambda cls, made: (dataclasses.is_dataclass(cls), dataclasses.is_dataclass(made)),
    "params": lambda cls, _: (cls.__dataclass_params__.frozen,),
    "as a dictionary": lambda _, made: dataclasses.asdict(made),
    "replaced": lambda _, made: (dataclasses.replace(made, first=5), engine.dataclass.replace(made, first=6)),
    "replaced by a strange name": lambda _, made: engine.dataclass.replace(made, strange=5),
    "signature": lambda cls, _: [*inspect.signature(cls).parameters],
    "annotations": lambda cls, _: [p.annotation for p in inspect.signature(cls).parameters.values()],
    "match": lambda cls, _: cls.__match_args__,
    "slots": lambda cls, _: cls.__dict__.get("__slots__"),
    "a dictionary": lambda _, made: hasattr(made, "__dict__"),
    "seen in the class": lambda cls, _: [
        n for n in ("first", "second", "third") if type(getattr(cls, n, None))
    ],
    "default in the class": lambda cls, _: isinstance(getattr(cls, "first", None), int),
    "set": lambda cls, made: cls.__match_args__ and (setattr(made, "first", 9), made.first),
    "deleted": lambda cls, made: cls.__match_args__ and delattr(made, "first"),
    "set a strange name": lambda _, made: hasattr(made, "__dict__") and setattr(made, "strange", 9),
    "too many": lambda cls, _: cls(1, 2, 3, 4, 5),
    "strange": lambda cls, _: cls(strange=1),
    "negative": lambda cls, _: cls(-1),
    "module": lambda cls, _: (cls.__module__, cls.__name__, cls.__doc__),
}


@pytest.mark.parametrize("way", SAME)
@pytest.mark.parametrize("name", MADE)
def test_it_does_as_the_standard_librarys(name: str, way: str) -> None:
    def what(classes: dict[str, Any]) -> object:
        return SAME[way](classes[name], classes[name](*MADE[name]))

    assert told(what, OURS) == told(what, THEIRS)


@pytest.mark.parametrize("name", MADE)
def test_one_comes_back_from_a_pickle(name: str) -> None:
    made = OURS[name](*MADE[name])
    back = pickle.loads(pickle.dumps(made))  # noqa: S301 - of our own making
    assert dataclasses.asdict(back) == dataclasses.asdict(made)


def test_what_a_factory_makes_is_nobody_elses() -> None:
    one, other = OURS["Plain"](1), OURS["Plain"](1)
    one.third.append(5)
    assert other.third == []


def test_a_match_takes_the_fields() -> None:
    match OURS["Heir"](3, 4):
        case Heir(first, second):  # type: ignore[name-defined] # noqa: F821 - of globals()
            assert (first, second) == (3, 4)


def test_nothing_is_made_before_it_is_looked_up() -> None:
    fresh = declared(engine.dataclass)["Frozen"]
    later = ("__init__", "__eq__", "__hash__", "__repr__", "__dataclass_fields__", "__dataclass_params__")
    assert not any(isinstance(vars(fresh)[name], FunctionType | dict) for name in later)
    assert fresh(1) == fresh(1)
    made = [name for name in later if isinstance(vars(fresh)[name], FunctionType | dict)]
    assert made == ["__init__", "__eq__"]
