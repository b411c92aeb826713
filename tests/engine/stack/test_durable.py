"""What is written is all there, and a failure names the file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.stack.durable import change_mode, sync, write_all


def test_all_is_written_in_as_many_calls_as_it_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    path = tmp_path / "x"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        write_all(fd, b"0123456789", str(path))
        write_all(fd, bytearray(b"abc"), str(path))
        write_all(fd, b"", str(path))
    finally:
        os.close(fd)
    assert path.read_bytes() == b"0123456789abc"


CALLS: dict[str, Callable[[int, str], None]] = {
    "write": lambda fd, path: write_all(fd, b"data", path),
    "fsync": sync,
    "fchmod": lambda fd, path: change_mode(fd, 0o600, path),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_error_of_a_descriptor_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "x"
    with path.open("wb") as file:
        monkeypatch.setattr(os, name, full)
        with pytest.raises(OSError, match=r"No space left on device: '.*/x'") as caught:
            CALLS[name](file.fileno(), str(path))
    assert caught.value.filename == str(path)
