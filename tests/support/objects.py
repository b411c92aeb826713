"""Objects for refs to point to: thousands of commits and tags in one pack, at the price of one process."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from tests.support.git import EMAIL, NAME, Repository

_PACK_TYPES = {b"commit": 1, b"tree": 2, b"tag": 4}
_WHO = f"{NAME} <{EMAIL}> 1700000000 +0000".encode()


def add_commits(repo: Repository, count: int) -> list[bytes]:
    """Give the repository `count` commits and return their ids; the same ones for the same count."""
    tree = _oid(repo, b"tree", b"")
    bodies = [
        b"tree %s\nauthor %s\ncommitter %s\n\ncommit %d\n" % (tree.hex().encode(), _WHO, _WHO, number)
        for number in range(count)
    ]
    return _add(repo, [(b"tree", b""), *((b"commit", body) for body in bodies)])[1:]


def add_tags(repo: Repository, targets: Iterable[bytes], kind: str = "commit") -> list[bytes]:
    """Give the repository an annotated tag for each of the objects, which are all of one kind."""
    bodies = [
        b"object %s\ntype %s\ntag t%d\ntagger %s\n\ntag\n"
        % (target.hex().encode(), kind.encode(), number, _WHO)
        for number, target in enumerate(targets)
    ]
    return _add(repo, [(b"tag", body) for body in bodies])


def _oid(repo: Repository, kind: bytes, body: bytes) -> bytes:
    return hashlib.new(_hash_name(repo), b"%s %d\0%s" % (kind, len(body), body)).digest()


def _hash_name(repo: Repository) -> str:
    config = (repo.git_dir / "config").read_text()
    return "sha256" if "objectformat = sha256" in config else "sha1"


def _add(repo: Repository, objects: list[tuple[bytes, bytes]]) -> list[bytes]:
    pack = bytearray(b"PACK" + (2).to_bytes(4, "big") + len(objects).to_bytes(4, "big"))
    for kind, body in objects:
        # Four bits of the size beside the type, then seven a byte, least significant first.
        rest, byte = len(body) >> 4, _PACK_TYPES[kind] << 4 | len(body) & 0xF
        while rest:
            pack.append(0x80 | byte)
            rest, byte = rest >> 7, rest & 0x7F
        pack.append(byte)
        pack += zlib.compress(body, 1)
    pack += hashlib.new(_hash_name(repo), pack).digest()
    repo.git("index-pack", "--stdin", input=bytes(pack))
    return [_oid(repo, kind, body) for kind, body in objects]
