"""The grammar of `git update-ref --stdin`: what is understood, what is refused, and how it says so."""

from __future__ import annotations

import pytest

from engine.errors import ApiError
from engine.format import HashId
from engine.update import parse_commands
from engine.update.commands import RefUpdate, Symref, is_null
from tests.support.git import Repository

A = b"\xaa" * 20
B = b"\xbb" * 20
NULL = bytes(20)
X = b"refs/heads/x"
Y = b"refs/heads/y"
HEX_A = A.hex().encode()
HEX_B = B.hex().encode()
ZEROS = b"0" * 40


def parse(data: bytes) -> list[RefUpdate]:
    return parse_commands(data, HashId.SHA1)


def parse_nul(data: bytes) -> list[RefUpdate]:
    return parse_commands(data, HashId.SHA1, nul_terminated=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"update %b %b" % (X, HEX_A), RefUpdate(X, A)),
        (b"update %b %b %b" % (X, HEX_A, HEX_B), RefUpdate(X, A, B)),
        (b"update %b %b %b" % (X, HEX_A, ZEROS), RefUpdate(X, A, NULL)),
        (b"update %b %b " % (X, HEX_A), RefUpdate(X, A, NULL)),
        (b"update %b %b" % (X, ZEROS), RefUpdate(X, NULL)),
        (b'update %b "" %b' % (X, HEX_A), RefUpdate(X, NULL, A)),
        (b"update %b %b" % (X, HEX_A.upper()), RefUpdate(X, A)),
        (b"create %b %b" % (X, HEX_A), RefUpdate(X, A, NULL)),
        (b"delete %b" % X, RefUpdate(X, NULL)),
        (b"delete %b %b" % (X, HEX_A), RefUpdate(X, NULL, A)),
        (b"verify %b %b" % (X, HEX_A), RefUpdate(X, None, A)),
        (b"verify %b" % X, RefUpdate(X, None, NULL)),
        (b"symref-update %b %b" % (X, Y), RefUpdate(X, Symref(Y))),
        (b"symref-update %b %b ref HEAD" % (X, Y), RefUpdate(X, Symref(Y), Symref(b"HEAD"))),
        (b"symref-update %b %b oid %b" % (X, Y, HEX_A), RefUpdate(X, Symref(Y), A)),
        (b"symref-create %b %b" % (X, Y), RefUpdate(X, Symref(Y), NULL)),
    ],
)
def test_each_command_says_new_and_expected_value(line: bytes, expected: RefUpdate) -> None:
    assert parse(line + b"\n") == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"symref-delete HEAD", RefUpdate(b"HEAD", NULL, None, no_deref=True)),
        (b"symref-delete HEAD %b" % X, RefUpdate(b"HEAD", NULL, Symref(X), no_deref=True)),
        (b"symref-verify HEAD", RefUpdate(b"HEAD", None, NULL, no_deref=True)),
        (b"symref-verify HEAD %b" % X, RefUpdate(b"HEAD", None, Symref(X), no_deref=True)),
    ],
)
def test_symref_delete_and_verify_need_no_deref(line: bytes, expected: RefUpdate) -> None:
    assert parse(b"option no-deref\n" + line + b"\n") == [expected]
    with pytest.raises(ApiError, match=r"^line 1: 'symref-[a-z]+': expected 'option no-deref'"):
        parse(line + b"\n")


def test_no_deref_holds_for_one_command() -> None:
    commands = parse(b"option no-deref\ndelete HEAD\ndelete %b\n" % X)
    assert [command.no_deref for command in commands] == [True, False]


@pytest.mark.parametrize(
    ("quoted", "name"),
    [
        (rb'"refs/heads/x"', b"refs/heads/x"),
        (rb'"refs/\"q\""', b'refs/"q"'),
        (rb'"refs/\303\244"', "refs/ä".encode()),
        (rb'"refs/\377"', b"refs/\xff"),
        (rb'refs/"q"', b'refs/"q"'),
    ],
)
def test_names_are_quoted_as_in_c(quoted: bytes, name: bytes) -> None:
    assert parse(b"delete " + quoted + b"\n") == [RefUpdate(name, NULL)]


@pytest.mark.parametrize(("letter", "byte"), list(zip("abfnrtv\\", "\a\b\f\n\r\t\v\\", strict=True)))
def test_every_escape_is_undone_before_the_name_is_judged(letter: str, byte: str) -> None:
    with pytest.raises(ApiError, match="is not a ref name") as caught:
        parse(rb'delete "refs/\%b"' % letter.encode() + b"\n")
    assert repr(f"refs/{byte}") in str(caught.value)


REFUSED = [
    (b"", "line 2: expected a command, found ''"),
    (b" delete x", "line 2: expected a command, found ' delete x'"),
    (b"rename a b", "line 2: 'rename': unknown command"),
    (b'"delete" a', "line 2: '\"delete\"': unknown command"),
    (b"delete", "line 2: 'delete': missing <ref>"),
    (b"update  " + HEX_A, "line 2: 'update': missing <ref>"),
    (b"delete refs/heads/a..b", "line 2: 'delete': <ref> 'refs/heads/a..b' is not a ref name: "),
    (b'delete "refs/heads/x', "line 2: 'delete': badly quoted: '\"refs/heads/x'"),
    (rb'delete "refs/\q"', "line 2: 'delete': badly quoted"),
    (rb'delete "refs/\400"', "line 2: 'delete': badly quoted"),
    (b'delete "refs/heads/x"y', "line 2: 'delete': expected a space or the end of the line, found 'y'"),
    (b"delete\trefs/heads/x", "line 2: 'delete': expected a space or the end of the line"),
    (b"delete refs/heads/x\r", r"line 2: 'delete': expected a space or the end of the line, found '\\r'"),
    (b"update refs/heads/x", "line 2: 'update': missing <new-oid>"),
    (b"update refs/heads/x " + b"g" * 40, "line 2: 'update': <new-oid> 'gggg"),
    (
        b"update refs/heads/x %b %b more" % (HEX_A, HEX_A),
        "line 2: 'update': nothing may follow, found 'more'",
    ),
    (b"create refs/heads/x " + ZEROS, "line 2: 'create': a zero <new-oid> creates nothing"),
    (b"delete refs/heads/x " + ZEROS, "line 2: 'delete': a zero <old-oid> leaves nothing to delete"),
    (b"delete refs/heads/x ", "line 2: 'delete': a zero <old-oid> leaves nothing to delete"),
    *(
        (b"%b worktrees/side/HEAD%b" % (verb, rest), f"line 2: '{verb.decode()}': all that 'worktrees/side/H")
        for verb, rest in (
            (b"delete", b""),
            (b"delete", b" " + HEX_A),
            (b"verify", b" " + HEX_A),
            (b"update", b" " + ZEROS),
            (b"symref-update", b" refs/heads/x"),
            (b"symref-create", b" refs/heads/x"),
        )
    ),
    (b"delete main-worktree/refs/bisect/bad", "line 2: 'delete': all that 'main-worktree/refs/bisect/bad'"),
    (b"symref-create HEAD", "line 2: 'symref-create': missing <new-target>"),
    (b"symref-create HEAD a..b", "line 2: 'symref-create': <new-target> 'a..b' is not a ref name"),
    (b"symref-update HEAD x with y", "line 2: 'symref-update': expected 'ref' or 'oid' .* found 'with'"),
    (b"symref-update HEAD x ref", "line 2: 'symref-update': missing <old-target>"),
    (b"symref-update HEAD x oid", "line 2: 'symref-update': missing <old-oid>"),
    (b"option deref", "line 2: 'option': the only option is 'no-deref'"),
    (b"option", "line 2: 'option': the only option is 'no-deref'"),
    (b"start now", "line 2: 'start': nothing may follow, found 'now'"),
]

REVISIONS = [
    (b"update refs/heads/x HEAD~1", "line 2: 'update': <new-oid> 'HEAD~1' is not an object id: expected"),
    (b"update refs/heads/x abcd", "line 2: 'update': <new-oid> 'abcd' is not an object id: expected 40"),
    (b"update refs/heads/x %b HEAD" % HEX_A, "line 2: 'update': <old-oid> 'HEAD' is not an object id"),
]


@pytest.mark.parametrize(("line", "complaint"), REFUSED + REVISIONS)
def test_errors_say_line_and_what_is_expected(line: bytes, complaint: str) -> None:
    with pytest.raises(ApiError, match="^" + complaint):
        parse(b"verify %b\n" % X + line + b"\n")


def test_git_refuses_the_same_lines(repo: Repository) -> None:
    for line, _ in REFUSED:
        done = repo.git("update-ref", "--stdin", input=b"verify %b\n" % X + line + b"\n", check=False)
        assert done.returncode, line


def test_error_messages_stay_short_and_printable() -> None:
    with pytest.raises(ApiError) as caught:
        parse(b"\x1b[31m" * 100000 + b"\n")
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"delete refs/heads/x", 1), (b"delete refs/heads/x\nupdate refs/heads/y " + HEX_A, 2), (b"start", 1)],
)
def test_a_last_line_without_newline_is_refused_as_cut_off(data: bytes, line: int) -> None:
    with pytest.raises(ApiError, match=f"^line {line}: .* is cut off: expected a final newline"):
        parse(data)


def test_sha256_ids_have_64_digits() -> None:
    assert parse_commands(b"create %b %b\n" % (X, b"ab" * 32), HashId.SHA256) == [
        RefUpdate(X, b"\xab" * 32, bytes(32))
    ]
    with pytest.raises(ApiError, match="expected 64 hexadecimal digits"):
        parse_commands(b"create %b %b\n" % (X, HEX_A), HashId.SHA256)


@pytest.mark.parametrize(
    "data",
    [
        b"delete refs/heads/x\n",
        b"delete refs/heads/x\ncommit\n",
        b"start\ndelete refs/heads/x\ncommit\n",
        b"delete refs/heads/x\nstart\nprepare\ncommit\n",
    ],
)
def test_a_committed_transaction_is_applied(data: bytes) -> None:
    assert parse(data) == [RefUpdate(X, NULL)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"delete refs/heads/x\nabort\n",
        b"start\ndelete refs/heads/x\nprepare\nabort\n",
        b"start\ndelete refs/heads/x\n",
        b"delete refs/heads/x\nprepare\n",
    ],
)
def test_an_aborted_or_unfinished_transaction_applies_nothing(data: bytes) -> None:
    assert parse(data) == []


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"start\nstart\n", "line 2: 'start': the transaction is started already"),
        (b"prepare\nverify refs/x\n", "line 2: 'verify': a prepared transaction can only be committed"),
        (b"prepare\nprepare\n", "line 2: 'prepare': a prepared transaction can only be committed"),
        (b"commit\nverify refs/x\n", "line 2: 'verify': the transaction is closed"),
        (b"commit\nstart\n", "line 2: 'start': a second transaction cannot be planned"),
        (b"abort\ncommit\n", "line 2: 'commit': the transaction is closed"),
    ],
)
def test_a_transaction_has_one_course(data: bytes, complaint: str) -> None:
    with pytest.raises(ApiError, match="^" + complaint):
        parse(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"update %b\0%b\0\0" % (X, HEX_A), RefUpdate(X, A)),
        (b"update %b\0%b\0%b\0" % (X, HEX_A, ZEROS), RefUpdate(X, A, NULL)),
        (b"create %b\0%b\0" % (X, HEX_A), RefUpdate(X, A, NULL)),
        (b'delete refs/"q"\0\0', RefUpdate(b'refs/"q"', NULL)),
        (b"delete %b\0%b\0" % (X, HEX_A), RefUpdate(X, NULL, A)),
        (b"verify %b\0\0" % X, RefUpdate(X, None, NULL)),
        (b"symref-update %b\0%b\0\0\0" % (X, Y), RefUpdate(X, Symref(Y))),
        (b"symref-update %b\0%b\0ref\0HEAD\0" % (X, Y), RefUpdate(X, Symref(Y), Symref(b"HEAD"))),
        (b"symref-update %b\0%b\0oid\0%b\0" % (X, Y, HEX_A), RefUpdate(X, Symref(Y), A)),
        (b"option no-deref\0symref-delete %b\0\0" % X, RefUpdate(X, NULL, None, no_deref=True)),
    ],
)
def test_nul_terminated_fields_are_taken_as_they_are(data: bytes, expected: RefUpdate) -> None:
    assert parse_nul(data + b"verify HEAD\0\0")[:-1] == [expected]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"delete refs/x", "field 1: 'delete refs/x' is cut off: expected a final NUL"),
        (b"verify refs/y\0\0delete refs/x\0", "field 3: 'delete': the input ends before <old-oid>"),
        (b"create refs/x\0\0", "field 1: 'create': missing <new-oid>"),
        (b"verify refs/x\0\0\0", "field 3: '': unknown command"),
        (b"symref-update refs/x\0refs/y\0\0refs/z\0", "field 1: 'symref-update': nothing may follow"),
        (b"start \0", "field 1: 'start': nothing may follow"),
        (b"delete refs/a b\0\0", "field 1: 'delete': <ref> 'refs/a b' is not a ref name"),
    ],
)
def test_errors_of_the_nul_terminated_form_say_which_field(data: bytes, complaint: str) -> None:
    with pytest.raises(ApiError, match="^" + complaint):
        parse_nul(data)


def test_only_an_object_id_of_zeros_is_null() -> None:
    assert is_null(NULL)
    assert is_null(bytes(32))
    assert not is_null(A)
    assert not is_null(None)
    assert not is_null(Symref(b"x"))
