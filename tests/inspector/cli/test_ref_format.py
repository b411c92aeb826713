"""Lines of refs in the form and the order that a user gives are those of `git for-each-ref`."""

from __future__ import annotations

from functools import cmp_to_key
from pathlib import Path

import pytest

from engine.format import RefRecord
from engine.stack import Stack
from inspector.text.ref_format import compare_versions
from tests.support.cli import ok, run
from tests.support.git import Git, Repository
from tests.support.tables import oid

_VERSIONS = [
    "v1.0",
    "v1.00",
    "v1.01",
    "v1.010",
    "v1.09",
    "v1.1",
    "v1.9",
    "v1.10",
    "v1.0rc1",
    "v1",
    "v01",
    "v10",
    "v9",
]


@pytest.fixture(scope="module")
def repo(git: Git, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Branches, tags that look like versions, tags of tags, names that are ambiguous, symbolic refs."""
    repo = git.init(tmp_path_factory.mktemp("format") / "repo")
    for number in range(3):
        repo.commit(str(number))
    for number, name in enumerate(_VERSIONS):
        repo.git("tag", name, f"HEAD~{number % 3}")
    repo.tag("annotated", "HEAD~1")
    repo.tag("of/a/tag", "annotated")
    for name in ("heads/both", "tags/both", "remotes/origin/main", "remotes/origin/both", "odd/größe"):
        repo.git("update-ref", f"refs/{name}", "HEAD~2")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")
    return repo


@pytest.mark.parametrize(
    "form",
    [
        "%(refname)",
        "%(objectname) %(refname)",
        "%(refname:short)|%(refname:lstrip=1)|%(refname:lstrip=2)|%(refname:lstrip=9)|%(refname:strip=-1)",
        "%(refname:rstrip=1)|%(refname:rstrip=-2)|%(refname:lstrip=-9)",
        "%(symref)|%(symref:short)|%(symref:lstrip=2)|%(*objectname)",
        "%(HEAD) %(refname)%09%41%%%zz 100% (%)",
        "",
    ],
)
def test_a_line_is_as_the_format_says(form: str, repo: Repository) -> None:
    said = repo.git("for-each-ref", f"--format={form}").stdout
    assert ok("refs", repo.path, "--prefix", "refs/", "--format", form).out == said


@pytest.mark.parametrize(
    "keys",
    [
        ["refname"],
        ["-refname"],
        ["version:refname"],
        ["-v:refname"],
        ["objectname"],
        ["-objectname"],
        ["symref"],
        ["-refname", "objectname"],
        ["objectname", "-version:refname", "symref"],
    ],
    ids=" ".join,
)
def test_the_order_is_as_the_keys_say(keys: list[str], repo: Repository) -> None:
    options = [f"--sort={key}" for key in keys]
    said = repo.git("for-each-ref", "--format=%(refname)", *options).stdout
    assert ok("refs", repo.path, "--prefix", "refs/", "--format", "%(refname)", *options).out == said
    said = repo.git("for-each-ref", "--format=%(refname)", "--count=4", *options).stdout
    assert (
        ok("refs", repo.path, "--prefix", "refs/", "--format=%(refname)", "--count=4", *options).out == said
    )


def test_short_names_go_by_the_configuration(repo: Repository) -> None:
    form = "--format=%(refname:short)"
    said = [
        repo.git("-c", f"core.warnAmbiguousRefs={on}", "for-each-ref", form).stdout
        for on in ("true", "false")
    ]
    assert said[0] != said[1]
    for on, lines in zip(("true", "false"), said, strict=True):
        repo.git("config", "core.warnAmbiguousRefs", on)
        assert ok("refs", repo.path, "--prefix", "refs/", form).out == lines
    repo.git("config", "--unset", "core.warnAmbiguousRefs")


@pytest.mark.parametrize(
    "suffixes",
    [
        ["-rc"],
        ["-rc", "-pre"],
        ["-pre", "-rc", "", ".1"],
        ["", "-rc", "rc1"],
        ["-r", "-rc", "-rc1"],
        ["c1", "-rc1"],
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["versionsort.suffix", "versionsort.prereleaseSuffix"])
def test_versions_are_in_the_order_of_the_suffixes_that_are_configured(
    git: Git, tmp_path: Path, suffixes: list[str], key: str
) -> None:
    repo = git.init(tmp_path / "repo")
    repo.commit()
    versions = [
        "1.0",
        "1.0-rc1",
        "1.0-rc2",
        "1.0-rc10",
        "1.0-pre1",
        "1.0.1",
        "1.0.1-rc1",
        "1.0.10",
        "1.0-rx",
        "1.0-r",
    ]
    repo.update_refs([f"create refs/tags/v{version} HEAD" for version in versions])
    for suffix in suffixes:
        repo.git("config", "--add", key, suffix)
    for order in ("v:refname", "-version:refname"):
        said = repo.git("for-each-ref", "--format=%(refname)", f"--sort={order}").stdout
        assert (
            ok("refs", repo.path, "--prefix", "refs/", "--format=%(refname)", f"--sort={order}").out == said
        )


def test_versions_are_in_the_order_that_the_c_library_gives_them() -> None:
    ordered = [b"000", b"00", b"01", b"010", b"09", b"0", b"1", b"9", b"10"]  # of its manual
    assert sorted(set(ordered), key=cmp_to_key(compare_versions)) == ordered
    assert compare_versions(b"v1.0", b"v1.0") == 0


def test_lines_may_end_with_nul(repo: Repository) -> None:
    for arguments in (("refs",), ("refs", "--format=%(refname)"), ("logs",), ("logs", "--ref", "HEAD")):
        verb, *options = arguments
        lines = ok(verb, repo.path, *options).lines
        assert ok(verb, repo.path, *options, "-z").out == b"".join(line + b"\0" for line in lines)


def test_count_and_sort_are_for_all_forms_of_output(repo: Repository) -> None:
    names = [
        record["name"] for record in ok("refs", repo.path, "--json", "--sort=-refname", "--count=3").objects
    ]
    assert names == [line.split()[-1].decode() for line in ok("refs", repo.path).lines][:-4:-1]
    assert len(ok("refs", repo.path, "--count", "2").lines) == 2


def test_fields_of_the_stack_are_there_too(tmp_path: Path) -> None:
    with Stack.open(tmp_path) as stack:
        stack.add(lambda writer: writer.add_ref(RefRecord(b"refs/one", 1, oid(1))))
        stack.add(lambda writer: writer.add_ref(RefRecord(b"refs/two", 2, oid(2))))
        (name,) = stack.names
    lines = ok("refs", tmp_path, "--format=%(updateindex) %(table)", "--sort=-updateindex").lines
    assert lines == [b"2 " + name.encode(), b"1 " + name.encode()]


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("--format=%(subject)", r"%(subject) is no field that a stack can answer"),
        ("--format=%(objectname:short)", "how short an id may be depends on all objects"),
        ("--format=%(refname:upper)", "a name has the forms"),
        ("--sort=authordate", "'authordate' is no key to sort by"),
        ("--count=0", "0 is not in the range"),
    ],
)
def test_what_git_alone_can_tell_is_refused_with_what_there_is(
    option: str, what: str, repo: Repository
) -> None:
    done = run("refs", repo.path, option)
    assert (done.code, done.out) == (2, b"")
    assert what in done.err
    for pair in (("-z", "--json"), ("--format=x", "--json")):
        assert run("refs", repo.path, *pair).code == 2
