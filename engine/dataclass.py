"""Dataclasses as the standard library's, whose functions are made when they are first looked up.

The standard library writes and compiles up to six functions for each class while it is imported: a program
that lists the tables of a stack would spend a third of its time on functions that it never calls. To whoever
uses a class there is no other difference: `dataclasses.fields`, `replace`, `asdict` and `is_dataclass`,
`match`, `copy` and `pickle` take it as they take the standard library's.

Here is what the classes of this project need: the options `frozen`, `slots`, `eq` and `unsafe_hash`, and
bases that are made here as well. Annotations are strings, by `from __future__ import annotations`. Files that
may be compiled use the standard library's own, which the compiler knows. To type checkers, all of them do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

__all__ = ["dataclass", "field", "replace"]

Record = TypeVar("Record")

_NONE: Final = object()
"""In place of a default that there is not."""


class _Field:
    """What is known of a field."""

    __slots__ = ("annotation", "compare", "default", "factory")

    def __init__(self, default: object, factory: object = _NONE, *, compare: bool = True) -> None:
        self.default = default
        self.factory = factory
        self.compare = compare
        self.annotation = ""


class _Shape:
    """What a class was declared with; its functions are made of it."""

    __slots__ = ("cls", "fields", "frozen")

    def __init__(self, cls: type, fields: dict[str, _Field], *, frozen: bool) -> None:
        self.cls = cls
        self.fields = fields
        self.frozen = frozen

    def make_init(self) -> object:
        """Give the fields their values, in the order of the parameters."""
        parameters = ["self"]
        lines = []
        known: dict[str, object] = {"_set": object.__setattr__, "_none": _NONE}
        for name, field in self.fields.items():
            parameter = value = name
            if field.default is not _NONE:
                known[f"_default_{name}"] = field.default
                parameter = f"{name}=_default_{name}"
            elif field.factory is not _NONE:
                known[f"_make_{name}"] = field.factory
                parameter = f"{name}=_none"
                value = f"_make_{name}() if {name} is _none else {name}"
            parameters.append(parameter)
            lines.append(f"_set(self, {name!r}, {value})" if self.frozen else f"self.{name} = {value}")
        if hasattr(self.cls, "__post_init__"):
            lines.append("self.__post_init__()")
        made = self._compiled("__init__", parameters, lines or ["pass"], known)
        made.__annotations__ = {name: field.annotation for name, field in self.fields.items()}
        made.__annotations__["return"] = "None"
        return made

    def make_eq(self) -> object:
        """Equal is what is of the same class, with equal values in the fields that count."""
        lines = [
            "if other.__class__ is self.__class__:",
            f" return {self._values('self')} == {self._values('other')}",
            "return NotImplemented",
        ]
        return self._compiled("__eq__", ["self", "other"], lines, {})

    def make_hash(self) -> object:
        """Of the values in the fields that count."""
        return self._compiled("__hash__", ["self"], [f"return hash({self._values('self')})"], {})

    def make_repr(self) -> object:
        """The standard library's."""
        return self._standard.__repr__

    def make_fields(self) -> object:
        """The standard library's."""
        return self._standard.__dataclass_fields__

    def make_params(self) -> object:
        """The standard library's."""
        return self._standard.__dataclass_params__

    @property
    def _standard(self) -> Any:  # noqa: ANN401 - a class that has more than a `type` has
        """A class that the standard library makes of the same fields."""
        import dataclasses

        body: dict[str, Any] = {
            "__annotations__": {name: field.annotation for name, field in self.fields.items()}
        }
        for name, field in self.fields.items():
            given: dict[str, Any] = {"default": field.default, "default_factory": field.factory}
            given = {key: value for key, value in given.items() if value is not _NONE}
            body[name] = dataclasses.field(compare=field.compare, **given)
        return dataclasses.dataclass(frozen=self.frozen)(type(self.cls.__name__, (), body))

    def _values(self, owner: str) -> str:
        """The source of a tuple of the values that count."""
        return f"({''.join(f'{owner}.{name}, ' for name, field in self.fields.items() if field.compare)})"

    def _compiled(
        self, name: str, parameters: Iterable[str], lines: Iterable[str], known: dict[str, object]
    ) -> Any:  # noqa: ANN401 - a function
        body = "\n ".join(lines)
        exec(f"def {name}({', '.join(parameters)}):\n {body}", known)  # noqa: S102 - names of our own source
        made: Any = known[name]
        made.__module__ = self.cls.__module__
        made.__qualname__ = f"{self.cls.__qualname__}.{name}"
        return made


class _WhenAsked:
    """An attribute of a class that, when it is first looked up, puts what it stands for in its place."""

    __slots__ = ("_cls", "_make", "_name")

    def __init__(self, cls: type, name: str, make: Callable[[], Any]) -> None:
        self._cls = cls
        self._name = name
        self._make = make

    def __get__(self, instance: object, owner: type) -> object:
        made = self._make()
        setattr(self._cls, self._name, made)
        return made.__get__(instance, owner) if callable(made) else made


def _declared(cls: type) -> dict[str, _Field]:
    """The fields of a class in their order, those of its bases first."""
    fields: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        shape = base.__dict__.get("_shape")
        fields |= shape.fields if isinstance(shape, _Shape) else {}
    for name, annotation in cls.__annotations__.items():
        if not annotation.startswith("ClassVar"):
            default = cls.__dict__.get(name, _NONE)
            fields[name] = default if isinstance(default, _Field) else _Field(default)
            fields[name].annotation = annotation
    return fields


def _with_slots(cls: type, names: Iterable[str]) -> type:
    """The same class once more: what a class has in slots is said when it is made."""
    body = dict(cls.__dict__)
    for name in (*names, "__dict__", "__weakref__"):
        body.pop(name, None)
    inherited = {slot for base in cls.__mro__[1:] for slot in getattr(base, "__slots__", ())}
    body["__slots__"] = tuple(name for name in names if name not in inherited)
    made: type = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _set_attribute(self: Any, name: str, value: object) -> None:  # noqa: ANN401 - of any frozen class
    _refuse(self._shape, type(self), name, "assign to")
    object.__setattr__(self, name, value)


def _delete_attribute(self: Any, name: str) -> None:  # noqa: ANN401 - likewise
    _refuse(self._shape, type(self), name, "delete")
    object.__delattr__(self, name)


def _refuse(shape: _Shape, cls: type, name: str, change: str) -> None:
    """Raise what the standard library raises, except for an attribute that an heir has beside the fields."""
    if cls is shape.cls or name in shape.fields:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {change} field {name!r}")


def _get_state(self: Any) -> list[object]:  # noqa: ANN401 - likewise
    return [getattr(self, name) for name in self._shape.fields]


def _set_state(self: Any, state: Iterable[object]) -> None:  # noqa: ANN401 - likewise
    for name, value in zip(self._shape.fields, state, strict=True):
        object.__setattr__(self, name, value)


def _replace(record: Record, /, **changes: object) -> Record:
    """A copy of `record` with other values in some of its fields."""
    cls: Any = type(record)
    for name in cls.__match_args__:
        if name not in changes:
            changes[name] = getattr(record, name)
    made: Record = cls(**changes)
    return made


def _field(*, default: object = _NONE, default_factory: object = _NONE, compare: bool = True) -> _Field:
    return _Field(default, default_factory, compare=compare)


def _dataclass(
    cls: type | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    unsafe_hash: bool = False,
) -> Any:  # noqa: ANN401 - a class, or what takes one and returns one
    def declare(cls: type) -> type:
        fields = _declared(cls)
        if slots:
            cls = _with_slots(cls, fields)
        for name, value in {**cls.__dict__}.items():
            if isinstance(value, _Field):  # no slot: the default is seen in the class
                delattr(cls, name)
                if value.default is not _NONE:
                    setattr(cls, name, value.default)
        shape = _Shape(cls, fields, frozen=frozen)
        body: dict[str, Any] = {
            "__match_args__": tuple(fields),
            "__replace__": _replace,
            "__init__": _WhenAsked(cls, "__init__", shape.make_init),
            "__repr__": _WhenAsked(cls, "__repr__", shape.make_repr),
        }
        if eq:
            body["__eq__"] = _WhenAsked(cls, "__eq__", shape.make_eq)
            body["__hash__"] = None
        if unsafe_hash or (eq and frozen):
            body["__hash__"] = _WhenAsked(cls, "__hash__", shape.make_hash)
        if frozen:
            body |= {"__setattr__": _set_attribute, "__delattr__": _delete_attribute}
        if frozen and slots:
            body |= {"__getstate__": _get_state, "__setstate__": _set_state}
        own = {**cls.__dict__}
        if own.get("__hash__") is None and "__eq__" in own:  # Python has put it there, and not the class
            own.pop("__hash__", None)
        body = {name: value for name, value in body.items() if name not in own}
        body["_shape"] = shape
        body["__dataclass_fields__"] = _WhenAsked(cls, "__dataclass_fields__", shape.make_fields)
        body["__dataclass_params__"] = _WhenAsked(cls, "__dataclass_params__", shape.make_params)
        for name, value in body.items():
            setattr(cls, name, value)
        return cls

    return declare if cls is None else declare(cls)


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass = _dataclass
    field = _field
    replace = _replace
