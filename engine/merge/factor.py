"""The factor of the geometric rule, which every stack is opened with, also where no rule is asked."""

from __future__ import annotations

from typing import Final

from engine.errors import ApiError

DEFAULT_FACTOR: Final = 2
MAX_FACTOR: Final = 255


def check_factor(factor: int) -> int:
    """`factor`, if it is one of the geometric rule: 1..255. Raises `ApiError`."""
    if not 1 <= factor <= MAX_FACTOR:
        raise ApiError(f"factor {factor} is not in 1..{MAX_FACTOR}")
    return factor
