"""The type parameters of records: what `type` says of one, a type checker then knows of its values.

They have defaults, so that a bare `RefRecord` is one of any type: `typing` knows these from Python 3.13 on,
a type checker always. This file is never compiled: mypyc takes TYPE_CHECKING for true, and leaves out `else`.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

RefType: TypeAlias = Literal["val1", "val2", "symref", "deletion"]
LogType: TypeAlias = Literal["update", "deletion"]

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    RefType_co = TypeVar("RefType_co", bound=RefType, default=RefType, covariant=True)
    LogType_co = TypeVar("LogType_co", bound=LogType, default=LogType, covariant=True)
    Value_co = TypeVar("Value_co", bound=bytes | None, default=bytes | None, covariant=True)
    Peeled_co = TypeVar("Peeled_co", bound=bytes | None, default=bytes | None, covariant=True)
    Target_co = TypeVar("Target_co", bound=bytes | None, default=bytes | None, covariant=True)
else:
    from typing import TypeVar

    RefType_co, LogType_co = (TypeVar(name, covariant=True) for name in ("RefType_co", "LogType_co"))
    Value_co, Peeled_co, Target_co = (
        TypeVar(name, covariant=True) for name in ("Value_co", "Peeled_co", "Target_co")
    )
