"""What is made durable, and what becomes visible: the order of these is what survives a power cut."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


def record_durability(monkeypatch: pytest.MonkeyPatch, kind: Callable[[str], str]) -> list[str]:
    """Return a list that grows with each sync, rename and removal; `kind` says what to call a path."""
    found: list[str] = []
    rename, replace, unlink = os.rename, os.replace, os.unlink

    def fsync(fd: int) -> None:
        found.append(f"fsync {kind(os.readlink(f'/proc/self/fd/{fd}'))}")

    def record(what: str, call: Callable[..., None]) -> Callable[..., None]:
        def recording(*paths: str | os.PathLike[str]) -> None:
            call(*paths)
            found.append(" ".join([what, *(kind(os.fspath(path)) for path in paths)]))

        return recording

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", record("rename", rename))
    monkeypatch.setattr(os, "replace", record("rename", replace))
    monkeypatch.setattr(os, "unlink", record("unlink", unlink))
    return found
