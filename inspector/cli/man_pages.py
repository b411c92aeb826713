"""The manual: a page for the program and one for each verb, made of what --help says.

setup.py writes them when a wheel is built. Backquotes become bold, paragraphs whose lines are kept stay so.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from inspect import cleandoc
from typing import Final

import click

from inspector.cli.entry import NO_NAME, cli
from inspector.exit_codes import ExitCode

_PROGRAM: Final = "reftable-inspector"
_SOURCES: Final = ("git(1)", "git-update-ref(1)", "git-for-each-ref(1)", "git-refs(1)", "git-reflog(1)")

_CODES: Final = {
    ExitCode.OK: "Fine. Also where the reader of a pipe has all it wants.",
    ExitCode.FINDINGS: "fsck found errors, a repair left some, lost something or doubts it, an export left "
    "something out, or what was asked for is not there.",
    ExitCode.USAGE: "The command line, or standard input, makes no sense.",
    ExitCode.UNREADABLE: "There is no stack, or something in it cannot be read. What can be read is printed.",
    ExitCode.LOCKED: "Another process holds a lock.",
    ExitCode.CHANGED: "The stack is not the one any more that was planned for, a ref has not the value that "
    "it should have, or a hook refuses the change.",
    ExitCode.UNWRITABLE: "Standard output, or the disk under the stack, takes nothing more, or the user may "
    "not write there.",
    ExitCode.INTERNAL: "The program failed: the fault is in it.",
    ExitCode.INTERRUPTED: "Interrupted. Locks and temporary files are gone.",
}

_VARIABLES: Final = {
    "GIT_DIR, GIT_COMMON_DIR": "The repository, as for git, where no PATH is given.",
    "GIT_REFERENCE_BACKEND": "Where a repository has its refs, as for git.",
    "GIT_COMMITTER_NAME, GIT_COMMITTER_EMAIL": "By whom new entries of reflogs are, as for git.",
    "REFTABLE_GIT": "The git program to ask for the configuration and for objects (default: git). 2.45 is "
    "the first that knows reftables.",
}
_TERMINAL_VARIABLES: Final = {
    "NO_COLOR": "If set, the terminal inspector has no colors.",
    "TEXTUAL_THEME": "The theme of the terminal inspector.",
    "GIT_PAGER, PAGER": "What the terminal inspector shows an object with.",
}

_FILES: Final = {
    "reftable-snapshots/": "Beside a stack: the list and the tables as they were before each change that was "
    "made with this program. The verbs snapshots and undo go back to them. The newest 20 stay.",
}
_TERMINAL_FILES: Final = {
    "~/.config/reftable-inspector/config.toml": "Theme, keys, first tab and rule of the terminal inspector. "
    "On macOS it is in ~/Library/Application Support. It is only read.",
}

_EXAMPLES: Final = {
    NO_NAME: {
        "reftable-inspector": "Open the stack of the repository that is here.",
        "reftable-inspector --demo=damaged": "Open a damaged one that is made for the occasion.",
        "git reftable fsck": "The same program is a verb of git.",
    },
    "tables": {
        "reftable-inspector tables --json": "The tables of the stack that is here, an object for each."
    },
    "segments": {
        "reftable-inspector segments repo.git": "What git's rule and the older one would merge next."
    },
    "refs": {
        "reftable-inspector refs --prefix refs/heads/": "The branches.",
        "reftable-inspector refs --prefix=refs/tags/ --sort=-v:refname --count=5": "The five newest.",
        "reftable-inspector refs --format='%(HEAD) %(refname:short)'": "As git branch has them.",
        "reftable-inspector refs --as-of 40": "The refs before update index 41 was written.",
    },
    "logs": {"reftable-inspector logs --ref HEAD": "The reflog of HEAD, as in the files of git."},
    "trace": {"reftable-inspector trace main": "Which tables hold a version of the branch, and where."},
    "resolve": {"reftable-inspector resolve -C repo.git HEAD v1.0": "Where two refs lead."},
    "print": {"reftable-inspector print": "All that git's test tool would dump."},
    "layout": {"reftable-inspector layout --table 0": "Where everything lies in the oldest table."},
    "fsck": {"reftable-inspector fsck repo.git && echo sound": "Check all of a repository."},
    "survey": {
        "reftable-inspector survey --check /srv/git": "Check all repositories below a directory.",
        "reftable-inspector survey --openmetrics /srv/git > reftables.prom": "Metrics for a node exporter.",
    },
    "export": {
        "reftable-inspector export broken.git rescued.git": "Save what can be read, without reftables.",
        "reftable-inspector export --anonymize broken.git /tmp/report": "A copy to attach to a report.",
    },
    "repair": {
        "reftable-inspector repair": "See what a repair does.",
        "reftable-inspector repair --apply": "Do it.",
    },
    "add": {
        "echo 'create refs/heads/x HEAD' | reftable-inspector add -m 'new topic'": "Create a branch.",
        "reftable-inspector add --dry-run < commands": "See what commands would write.",
    },
    "compact": {
        "reftable-inspector compact --auto --dry-run": "What the configured rule would merge now.",
        "reftable-inspector compact": "Merge all tables into one.",
    },
    "expire": {
        "reftable-inspector expire --before 30.days.ago --except refs/heads/main --dry-run": "What would go.",
    },
    "clean": {"reftable-inspector clean --dry-run": "What a crash has left behind."},
    "demo": {"reftable-inspector demo --damaged /tmp/broken": "A stack to try fsck and repair on."},
    "snapshots": {
        "reftable-inspector snapshots": "What can be undone.",
        "reftable-inspector snapshots --prune --newest 5": "Remove all but the newest five.",
    },
    "undo": {"reftable-inspector undo": "Take the last change back."},
    "completion": {"source <(reftable-inspector completion bash)": "Complete in this shell."},
}


def man_pages(version: str, date: str) -> dict[str, str]:
    """The text of each page by the name of its file."""
    above = click.Context(cli, info_name=_PROGRAM, **cli.context_settings)
    pages = {name: _page(name, version, date, _program(above, name)) for name in (_PROGRAM, "git-reftable")}
    for verb in cli.list_commands(above):
        name = f"{_PROGRAM}-{verb}"
        pages[name] = _page(name, version, date, _verb(above, verb))
    return {f"{name}.1": text for name, text in pages.items()}


def _page(name: str, version: str, date: str, body: Iterator[str]) -> str:
    title = f'.TH "{name.upper()}" 1 "{date}" "Reftable Inspector {version}" "Reftable Inspector"'
    return "\n".join([title, *body, ""])


def _program(above: click.Context, name: str) -> Iterator[str]:
    nameless = _command(above, NO_NAME)
    yield from _name(name, "look into the reftables of a git repository")
    yield ".SH SYNOPSIS"
    formatter = click.HelpFormatter(width=10_000)
    cli.format_usage(above, formatter)
    program = _bold(name.replace("git-", "git "))
    for number, usage in enumerate(re.findall(rf"{_PROGRAM} (.*)", formatter.getvalue())):
        yield from [".br"] if number else []
        yield f"{program} {_text(usage)}"
    yield from _description(cli, but="Exit codes:")
    yield from _options(nameless, above)
    yield ".SH VERBS"
    for verb in cli.list_commands(above):
        yield ".TP"
        yield f"{_bold(f'{_PROGRAM}-{verb}')}(1)"
        yield from _filled(_command(above, verb).get_short_help_str(10_000))
    yield from _ending(NO_NAME, [f"{_PROGRAM}-{verb}(1)" for verb in ("fsck", "repair", "refs")])


def _verb(above: click.Context, verb: str) -> Iterator[str]:
    command = _command(above, verb)
    context = click.Context(command, info_name=verb, parent=above)
    summary = re.split("[,:;.]", command.get_short_help_str(10_000))[0]
    yield from _name(f"{_PROGRAM}-{verb}", summary[:1].lower() + summary[1:])
    yield ".SH SYNOPSIS"
    yield f"{_bold(f'{_PROGRAM} {verb}')} {_text(' '.join(command.collect_usage_pieces(context)))}"
    yield from _description(command)
    yield from _options(command, context)
    yield from _ending(verb, [f"{_PROGRAM}(1)"])


def _command(above: click.Context, verb: str) -> click.Command:
    command = cli.get_command(above, verb)
    assert command is not None  # noqa: S101 - for the type checker
    return command


def _name(name: str, summary: str) -> Iterator[str]:
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(summary)}"


def _description(command: click.Command, but: str | None = None) -> Iterator[str]:
    """The paragraphs of a help text, without the one that begins with `but`."""
    yield ".SH DESCRIPTION"
    paragraphs = cleandoc(command.help or "").split("\n\n")
    lead = ""
    for paragraph in paragraphs:
        kept = paragraph.startswith("\b\n")
        text = paragraph.removeprefix("\b\n")
        if but is not None and text.startswith(but):
            continue
        if lead:
            yield lead
        lead = ".PP"
        yield from _kept(text) if kept else _filled(text)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    yield ".SH OPTIONS"
    for option in command.get_params(context):
        record = option.get_help_record(context) if isinstance(option, click.Option) else None
        if record is not None:
            names, text = record
            yield ".TP"
            yield "".join(
                _bold(piece) if piece.startswith("-") else _text(piece)
                for piece in re.split(r"(?<![\w=])(--?\w[\w-]*)", names)
            )
            yield from _filled(text)


def _ending(verb: str, related: list[str]) -> Iterator[str]:
    yield ".SH EXAMPLES"
    for number, (command, what) in enumerate(_EXAMPLES[verb].items()):
        yield from [".PP"] if number else []
        yield from _filled(what)
        yield from _kept(command)
    yield ".SH EXIT STATUS"
    for code, what in _CODES.items():
        yield from _tagged(str(int(code)), what)
    yield ".SH ENVIRONMENT"
    for variable, what in (_VARIABLES | (_TERMINAL_VARIABLES if verb == NO_NAME else {})).items():
        yield from _tagged(variable, what)
    yield ".SH FILES"
    for path, what in (_FILES | (_TERMINAL_FILES if verb == NO_NAME else {})).items():
        yield from _tagged(path, what)
    yield ".SH SEE ALSO"
    yield ",\n".join(f"{_bold(page[:-3])}(1)" for page in [*related, *_SOURCES])


def _tagged(tag: str, what: str) -> Iterator[str]:
    yield ".TP"
    yield _bold(tag)
    yield from _filled(what)


# Text as roff has it.


def _text(text: str) -> str:
    """Text within a line: signs that roff would make into others stay what they are."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for sign, name in (("'", "aq"), ("`", "ga"), ("^", "ha"), ("~", "ti")):
        text = text.replace(sign, f"\\({name}")
    return text


def _bold(text: str) -> str:
    return f"\\fB{_text(text)}\\fR"


def _filled(text: str) -> Iterator[str]:
    """A paragraph, each sentence on lines of its own; what is in backquotes is bold."""
    words = " ".join(text.split())
    pieces = words.split("`")
    if len(pieces) % 2 == 0:
        pieces = [words]
    line = "".join(_bold(piece) if number % 2 else _text(piece) for number, piece in enumerate(pieces))
    for sentence in re.split(r"(?<=[.?!]) (?=[A-Z])", line):
        lines = textwrap.wrap(sentence, 78, break_long_words=False, break_on_hyphens=False)
        yield from map(_shielded, lines)


def _kept(text: str) -> Iterator[str]:
    """Lines as they are."""
    yield ".RS 4"
    yield ".nf"
    yield from (_shielded(_text(line)) or "\\&" for line in text.splitlines())
    yield ".fi"
    yield ".RE"


def _shielded(line: str) -> str:
    """A line that roff takes for no request."""
    return f"\\&{line}" if line[:1] in (".", "'") else line
