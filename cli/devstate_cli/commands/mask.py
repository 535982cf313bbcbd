"""`devstate mask check`: secrets and HMACs that should not stand where they stand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import click

from devstate.errors import DevStateError
from devstate.findings import (
    CODES,
    Finding,
    Severity,
    Where,
    counted,
    exit_code,
    findings_document,
    render_text,
)
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.judging import settings_around
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["mask"]

# Compressed objects of git and the pages of the store are no documents; both are named in the help.
_SKIPPED = (".git", os.path.join(".trae", "store"))


@click.group(
    "mask",
    cls=CommandGroup,
    examples=("devstate mask check README.md",),
    help="Find unmasked HMACs and secrets.",
)
def mask() -> None:
    pass


@command(
    "check",
    schema="mask.check",
    examples=("devstate mask check README.md docs", "devstate mask check .trae --json"),
    help=(
        "Look for whole HMACs and for the configured secret in documents and logs; folders are searched with "
        "all below them but .git and .trae/store. What is found is not printed.\n\n"
        "Exit status: 0 nothing found, 1 something found, 3 a path could not be read."
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...]) -> Outcome:
    from devstate.trae import find_unmasked
    from devstate.workspace import resolve_keyring

    settings = settings_around(invocation_of(context))
    keyring, _ = resolve_keyring(settings)
    secrets = [key.secret.reveal() for key in keyring.keys] if keyring is not None else []
    findings: list[Finding] = []
    checked = 0
    for path in _files(paths, findings):
        try:
            found = find_unmasked(_bytes_of(path, settings.limits.file_bytes), file=path, secrets=secrets)
        except DevStateError as error:
            findings.append(_unread(error, path))
            continue
        checked += 1
        findings += found
    status = exit_code(findings)
    document = {"ok": status == 0, "files": checked, "findings": findings_document(findings)}

    def text(screen: Screen) -> Iterable[str]:
        files = "1 file" if checked == 1 else f"{checked:,} files"
        if not findings:
            return [f"{screen.paint('✔ MASKED', 'good')}  nothing unmasked in {files}"]
        head = (
            f"{screen.paint('✘ UNMASKED', 'bad') if status == 1 else screen.paint('? NOT ALL READ', 'look')}"
        )
        body = render_text(findings, colour=screen.colour, width=screen.width)
        return [f"{head}  {counted(findings)} in {files}", "", body]

    return Outcome(document, text, status)


mask.add_command(check)


def _files(paths: Iterable[str], findings: list[Finding]) -> Iterator[str]:
    """The files named and those below the folders named; links are not followed."""
    from devstate.durable import kind_of, list_folder

    for path in paths:
        try:
            kind = kind_of(path)
            if kind == "folder":
                if f"/{path.rstrip('/')}".endswith(tuple(f"/{name}" for name in _SKIPPED)):
                    continue
                inner = [os.path.join(path, name) for name in list_folder(path)]
                # Below a folder only what can be read as a file counts: a socket there is nobody's mistake.
                yield from _files([p for p in inner if kind_of(p) in ("file", "folder")], findings)
            else:
                yield path
        except DevStateError as error:
            findings.append(_unread(error, path))


def _bytes_of(path: str, limit: int) -> bytes:
    from devstate.durable import read_bounded

    return read_bounded(path, limit=limit).data


def _unread(error: DevStateError, path: str) -> Finding:
    code = error.code if error.code in CODES else "INPUT_UNREADABLE"
    return Finding(code, Severity.ERROR, error.message, Where(path), remedy=error.remedy)
