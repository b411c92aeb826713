"""A field of a format that has no end is refused, as git does."""

from __future__ import annotations

import pytest

from engine.errors import ApiError
from inspector.text.ref_format import RefFormat


@pytest.mark.parametrize("text", ["%(refname", "%(objectname) %(refname", "%%%("])
def test_a_field_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="has no end"):
        RefFormat(text)


@pytest.mark.parametrize("text", ["%", "%%(refname", "%(refname)(", "100%"])
def test_other_percent_signs_stay(text: str) -> None:
    RefFormat(text)
