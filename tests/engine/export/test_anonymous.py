"""An anonymous copy of a stack: no name, id or word of it in any byte, the same layout, the same damage."""

from __future__ import annotations

import os
import random
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, strategies

from engine.export import write_anonymous
from engine.export.deflating import deflated_to
from engine.export.words import WELL_KNOWN, Collected, Replacements
from engine.format import HashId, LogRecord, RefRecord, common_prefix, is_refname
from engine.fsck import fsck
from engine.readable import open_readable
from engine.stack import Stack, StackOptions
from engine.table import WriteOptions
from tests.fuzz.mutator import Mutator
from tests.support.damage import flipped
from tests.support.findings import NOW
from tests.support.tables import oid, stack_files, write_table
from tests.support.thinning import thinned

OLDER = "0x000000000001-0x000000000003-0000000a.ref"
NEWER = "0x000000000004-0x000000000005-0000000b.ref"
PEOPLE = [(b"Alice Wonderland", b"alice@example.org"), (b"Bj\xc3\xb6rn Borg", b"bjoern.borg@tennis.example")]
MESSAGES = [b"commit: remove the password from login\n", b"checkout: moving from master to releases\n", b""]
WORD = re.compile(rb"[0-9A-Za-z\x80-\xff]{5,}")

INDEX = re.compile(rb"\xff{4,}.{0,2}", re.DOTALL)


def write_secrets(
    directory: Path, hash_id: HashId = HashId.SHA1, block_size: int = 512, topics_of_alice: int = 60
) -> Path:
    """A stack of two tables with every kind of section and record, and files beside them."""
    directory.mkdir()
    size = hash_id.size
    topics = [b"refs/heads/alice/secret-project-%03d" % number for number in range(topics_of_alice)]
    topics += [
        b"refs/remotes/upstream/umlaut-\xc3\xa4pfel-%d" % number for number in range(topics_of_alice // 7 + 1)
    ]
    refs = [RefRecord(name, 1 + number % 3, oid(number, size)) for number, name in enumerate(topics)]
    refs += [
        RefRecord(b"HEAD", 3, target=topics[0]),
        RefRecord(b"refs/heads/alice/secret-project.lock", 2, oid(7, size)),
        RefRecord(b"refs/tags/release-2024-confidential", 3, oid(1, size), oid(2, size)),
        RefRecord(b"refs/heads/abandoned-idea", 3),
        RefRecord(b"refs/heads/zeroed-idea", 3, bytes(size)),
    ]
    logs = [
        LogRecord(
            name,
            1 + at % 3,
            oid(at, size),
            oid(at + 1, size),
            *PEOPLE[at % 2],
            10**9 + at,
            100,
            MESSAGES[at % 3],
        )
        for at, name in enumerate(topics)
    ]
    logs += [LogRecord(b"refs/heads/abandoned-idea", 2)]
    options = WriteOptions(block_size=block_size, hash_id=hash_id, exact_log_message=True)
    write_table(directory / OLDER, refs, logs, options, (1, 3))
    newer = [RefRecord(name, 4, oid(at + 500, size)) for at, name in enumerate(topics[::7])]
    write_table(
        directory / NEWER,
        newer,
        [LogRecord(topics[3], 5, oid(4, size), oid(5, size), *PEOPLE[0], 1, 0, b"reset\n")],
        options,
        (4, 5),
    )
    (directory / "tables.list").write_text(f"{OLDER}\n{NEWER}\n")
    return directory


def inflated(data: bytes) -> Iterator[bytes]:
    """Whatever inflates anywhere in some bytes."""
    for found in re.finditer(b"x(?=(.))", data, re.DOTALL):
        if int.from_bytes(found[0] + found[1]) % 31:
            continue  # no header of zlib
        piece = data[found.start() : found.start() + 5000]
        try:
            yield zlib.decompressobj().decompress(piece)
            continue
        except zlib.error:
            inflater = zlib.decompressobj()
        # What came out before the byte that is wrong.
        made = bytearray()
        with suppress(zlib.error):
            for at in range(len(piece)):
                made += inflater.decompress(piece[at : at + 1])
        yield bytes(made)


def all_bytes(directory: Path) -> bytes:
    """Everything that a stack's directory holds, deflated or not, and the names of its files."""
    files = stack_files(directory)
    found = [os.fsencode(name) for name in files]
    for data in files.values():
        found += [data, *inflated(data)]
    return b"\n".join(found)


def secrets(directory: Path) -> set[bytes]:
    """Everything that must not be found: words, and ids raw and in hex."""
    found: set[bytes] = set()
    with open_readable(directory) as stack:
        for table in stack.tables:
            texts = [ref.name for ref in table.refs()] + [ref.target or b"" for ref in table.refs()]
            ids = [oid for ref in table.refs() for oid in (ref.value, ref.peeled)]
            for log in table.logs():
                texts += [log.name, log.committer, log.email, log.message]
                ids += [log.old, log.new]
            # Of words that damage has made, those are none that any key of a log entry ends with.
            words = [word for text in texts for word in WORD.findall(text)]
            found.update(word for word in words if not INDEX.fullmatch(word))
            for one in ids:
                if one and len(set(one)) > 8:  # no number that damage has made an id of
                    found.update((one, one.hex().encode()))
    # What differs from a well-known name in case only goes on to do so.
    return {one for one in found if one.lower() not in WELL_KNOWN}


def faults(directory: Path) -> list[tuple[str, str, int | None]]:
    """What fsck finds; of the names of files their form."""
    found = fsck(directory, now=NOW)
    return [(one.code, re.sub(r"[^\0-/:-@\[-`{-\x7f]", "a", one.file), one.offset) for one in found]


def shape(directory: Path) -> list[tuple[object, ...]]:
    """Of each ref and log entry in order all that is not hidden."""
    found: list[tuple[object, ...]] = []
    with open_readable(directory) as stack:
        for table in stack.tables:
            name = b""
            for ref in table.refs():
                found.append((len(ref.name), common_prefix(name, ref.name), ref.update_index, ref.type))
                name = ref.name
            found += [
                (len(log.name), log.update_index, log.type, log.time, log.tz, len(log.message))
                for log in table.logs()
            ]
        found.append(tuple(table.name for table in stack.tables))
        found.append(tuple(origin[1].name for origins in stack.merged.ref_origins() for origin in origins))
    return found


def assert_anonymous(original: Path, copy: Path) -> None:
    haystack = all_bytes(copy)
    assert [secret for secret in secrets(original) if secret in haystack] == []


def sizes(directory: Path) -> dict[str, int]:
    return {name: len(data) for name, data in stack_files(directory).items()}


@pytest.mark.parametrize("hash_id", list(HashId))
@pytest.mark.parametrize("block_size", [512, 4096, 65536])
def test_a_sound_stack_stays_sound_and_keeps_its_layout(
    tmp_path: Path, hash_id: HashId, block_size: int
) -> None:
    original = write_secrets(tmp_path / "stack", hash_id, block_size)
    made = write_anonymous(original, tmp_path / "copy")
    assert made.different == []
    assert len(secrets(original)) > 150
    assert_anonymous(original, tmp_path / "copy")
    assert sizes(tmp_path / "copy") == sizes(original)
    assert faults(tmp_path / "copy") == faults(original)
    assert shape(tmp_path / "copy") == shape(original)
    with Stack.open(tmp_path / "copy", StackOptions(hash_id=hash_id)) as stack:
        assert stack.merged.read_ref(b"HEAD") is not None


def damaged(directory: Path, seed: int) -> Path:
    """The stack of `write_secrets`, its tables and perhaps its list edited at random."""
    original = write_secrets(directory, [*HashId][seed % 2], [256, 400, 2048][seed % 3], 25)
    rng = random.Random(seed)
    mutator = Mutator(rng)
    files = stack_files(original)
    for name in (OLDER, NEWER)[: rng.randint(1, 2)]:
        (original / name).write_bytes(mutator.mutate(files[name], [files[OLDER], files[NEWER]]))
    if rng.random() < 0.2:
        (original / "tables.list").write_bytes(mutator.mutate_list(files["tables.list"]))
    return original


@pytest.mark.timeout(900)
def test_damage_stays_and_gives_nothing_away(tmp_path: Path) -> None:
    seeds = thinned(range(150), 9)
    other_faults, other_records = [], []
    sound = [secrets(write_secrets(tmp_path / one.name, one, 4096, 25)) for one in HashId]
    for seed in seeds:
        place = tmp_path / str(seed)
        place.mkdir()
        original = damaged(place / "stack", seed)
        hidden = sound[seed % 2] | secrets(original)
        made = write_anonymous(original, place / "copy")
        haystack = all_bytes(place / "copy")
        assert [secret for secret in hidden if secret in haystack] == [], seed
        assert sum(sizes(place / "copy").values()) == sum(sizes(original).values()) == made.size, seed
        assert made.different == [], seed
        if faults(place / "copy") != faults(original):
            other_faults.append(seed)
        if len(shape(place / "copy")) != len(shape(original)):
            other_records.append(seed)
        shutil.rmtree(place)
    # Where damage has a block begin among names, other names there may be other damage.
    assert len(other_faults) <= len(seeds) // 12, other_faults
    assert len(other_records) <= len(seeds) // 10, other_records


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_byte_that_is_wrong_is_found_in_the_copy_as_well(tmp_path: Path, mask: int) -> None:
    original = write_secrets(tmp_path / "stack", block_size=512, topics_of_alice=25)
    data = (original / OLDER).read_bytes()
    other = []
    positions = thinned(range(mask % 7, len(data), 32), 16)
    for at in positions:
        (original / OLDER).write_bytes(flipped(data, at, mask))
        write_anonymous(original, tmp_path / str(at))
        if (faults(original), shape(original)) != (faults(tmp_path / str(at)), shape(tmp_path / str(at))):
            other.append(at)
        shutil.rmtree(tmp_path / str(at))
    assert len(other) <= len(positions) // 12, other


def test_files_beside_the_stack_keep_what_they_are_and_lose_what_they_say(tmp_path: Path) -> None:
    original = write_secrets(tmp_path / "stack")
    data = (original / OLDER).read_bytes()
    beside = {
        "tables.list.lock": f"{OLDER}\nmy-passwords.ref\n".encode(),
        f"{OLDER}.lock": b"",
        "0x000000000006-0x000000000006-0000000c.ref": (original / NEWER).read_bytes(),
        "0x000000000007-0x000000000007-0000000d.ref.temp.Ab12Cd": data[:700],
        "readme-of-alice.txt": b"alice keeps passwords here\n",
        "passwords.ref": b"nothing but passwords\n",
        "passwordz.ref": data,
    }
    for name, content in beside.items():
        (original / name).write_bytes(content)
        os.utime(original / name, (10**9, 10**9))
    (original / "tables.list").write_bytes(
        f"{OLDER}\n\n{NEWER}\r\n../../alice/secrets.ref\npasswords.ref".encode()
    )
    (original / "directory").mkdir()
    (original / "link").symlink_to(OLDER)
    made = write_anonymous(original, tmp_path / "copy")
    assert sorted(why.partition(",")[0] for _, why in made.different) == [
        "a symbolic link",
        "left out: is no regular file",
    ]
    copied = stack_files(tmp_path / "copy")
    assert [*copied].count(OLDER) == 1
    names = [name for name in os.listdir(original) if name != "directory"]
    lengths = [len((original / name).read_bytes()) for name in names]
    assert sorted(map(len, copied.values())) == sorted(lengths)
    for name in (
        "tables.list.lock",
        f"{OLDER}.lock",
        "0x000000000007-0x000000000007-0000000d.ref.temp.Ab12Cd",
    ):
        assert (tmp_path / "copy" / name).stat().st_mtime == 10**9
        assert len(copied[name]) == len(beside[name])
    lines = copied["tables.list"].split(b"\n")
    assert lines[:3] == [OLDER.encode(), b"", f"{NEWER}\r".encode()]
    assert re.fullmatch(rb"\.\./\.\./\w{5}/\w{7}\.ref", lines[3])
    assert lines[4].decode() in copied
    assert len(copied[lines[4].decode()]) == len(beside["passwords.ref"])
    haystack = all_bytes(tmp_path / "copy")
    for word in (b"alice", b"passwor", b"secrets", b"keeps", b"nothing", b"readme"):
        assert word not in haystack
    (original / "link").unlink()
    (original / "directory").rmdir()
    shutil.rmtree(tmp_path / "copy")
    write_anonymous(original, tmp_path / "copy")
    assert sorted(faults(tmp_path / "copy"), key=str) == sorted(faults(original), key=str)


@given(
    strategies.sets(
        strategies.lists(strategies.sampled_from([*b"a-b/.Z9\xc3_@ABD", *b"headslock"]), max_size=12).map(
            bytes
        )
    )
)
def test_names_keep_their_order_and_what_they_share(names: set[bytes]) -> None:
    collected = Collected()
    for name in names:
        collected.name(name)
    by = Replacements(collected)
    ordered = sorted(names)
    replaced = [by.name(name) for name in ordered]
    assert replaced == sorted(replaced)
    assert list(map(len, replaced)) == list(map(len, ordered))
    for at in range(1, len(ordered)):
        assert common_prefix(*replaced[at - 1 : at + 1]) == common_prefix(*ordered[at - 1 : at + 1])
    assert [is_refname(name) for name in replaced] == [is_refname(name) for name in ordered]


@given(
    strategies.sets(strategies.binary(min_size=20, max_size=20) | strategies.binary(min_size=2, max_size=3))
)
def test_ids_keep_their_order_and_what_they_share(ids: set[bytes]) -> None:
    ids |= {bytes(20), b"\0" * 19 + b"\1", b"\xff" * 20}
    collected = Collected()
    for one in ids:
        collected.id(one)
    by = Replacements(collected)
    ordered = sorted(ids)
    replaced = [by.id(one) for one in ordered]
    assert replaced == sorted(replaced)
    assert list(map(len, replaced)) == list(map(len, ordered))
    for at in range(1, len(ordered)):
        assert common_prefix(*replaced[at - 1 : at + 1]) == common_prefix(*ordered[at - 1 : at + 1])
    assert by.id(bytes(20)) == by.log_id(bytes(20)) == bytes(20)


def test_names_that_differ_in_case_only_go_on_to_do_so_and_no_others() -> None:
    names = [b"Login-Form", b"login-Form", b"login-form", b"LOGIN-FORM", b"logout", b"Feature", b"feature"]
    names += [b"topic-%03d" % number for number in range(300)] + [
        b"t%c" % byte for byte in b"abcdefghijklmnop"
    ]
    collected = Collected()
    for name in names:
        collected.name(name)
    by = Replacements(collected)

    def alike(made: Callable[[bytes], bytes]) -> set[tuple[bytes, bytes]]:
        return {(one, other) for one in names for other in names if made(one).lower() == made(other).lower()}

    assert alike(by.name) == alike(bytes)


def test_well_known_components_stay_and_one_word_is_the_same_everywhere() -> None:
    collected = Collected()
    names = [
        b"refs/heads/main",
        b"refs/remotes/origin/HEAD",
        b"refs/tags/v1",
        b"ORIG_HEAD",
        b"refs/heads/x.lock",
    ]
    for name in [*names, b"refs/heads/topic/main"]:
        collected.name(name)
    by = Replacements(collected)
    main = by.name(b"main")
    assert by.name(b"refs/heads/main") == b"refs/heads/" + main
    assert by.name(b"refs/remotes/origin/HEAD") == b"refs/remotes/" + by.name(b"origin") + b"/HEAD"
    assert by.name(b"ORIG_HEAD") == b"ORIG_HEAD"
    assert by.name(b"refs/heads/x.lock").endswith(b".lock")
    assert by.text(b"merge main, now\n").endswith(b" " + main + b", " + by.text(b"now\n"))
    assert by.text(b"merge") not in (b"merge", Replacements(collected).text(b"merge"))


def test_a_deflate_stream_is_made_of_just_the_size_that_is_wanted() -> None:
    body = bytes(range(200)) * 3
    least = len(zlib.compress(body, 9))
    made = [
        size
        for size in range(least, least + 300)
        if (stream := deflated_to(body, size)) and len(stream) == size
    ]
    assert set(range(least + 16, least + 300)) <= {*made}
    for size in made:
        inflater = zlib.decompressobj()
        assert inflater.decompress(deflated_to(body, size) or b"") == body
        assert inflater.eof
        assert inflater.unused_data == b""
    assert deflated_to(body, least - 30) is None
