"""The tree of errors: what holds of each of its classes."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator

import pytest

from engine.errors import LockError, OutdatedError, ReftableError


def tree(kind: type[ReftableError]) -> Iterator[type[ReftableError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from tree(heir)


@pytest.mark.parametrize("kind", tree(ReftableError), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_message_its_parts_and_its_notes(
    kind: type[ReftableError],
) -> None:
    values: dict[str, object] = {"name": b"refs/heads/x", "other": b"refs/heads", "offset": 7}
    parameters = list(inspect.signature(kind.__init__).parameters)[1:]
    has_parts = "args" not in parameters
    arguments = [values.get(name, f"the {name}") for name in parameters] if has_parts else ["what is wrong"]
    error = kind(*arguments)
    error.add_note("and where")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_what_to_reload_for_is_not_what_to_wait_for() -> None:
    assert not issubclass(OutdatedError, LockError)
    assert not issubclass(LockError, OutdatedError)
