"""`devstate state`: looking into state.json."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any

import click

from devstate.errors import DevStateError, UsageError
from devstate_cli.command import CommandGroup, command, invocation_of
from devstate_cli.invocation import Invocation
from devstate_cli.outcome import Outcome
from devstate_cli.screen import Screen

__all__ = ["state"]

STATE = ".trae/state.json"


@click.group(
    "state",
    cls=CommandGroup,
    examples=("devstate state get /current_cp", "devstate state checksum"),
    help="Look into state.json.",
)
def state() -> None:
    pass


@command(
    "get",
    schema="state.get",
    examples=(
        "devstate state get",
        "devstate state get /current_cp",
        "devstate state get /agents/0/id --json",
    ),
    help=(
        "Print the value at a JSON pointer (RFC 6901), the whole document without one. A text is printed as "
        "it is, everything else as JSON."
    ),
)
@click.argument("pointer", default="")
@click.pass_context
def get(context: click.Context, pointer: str) -> Outcome:
    from devstate.trae import parse_state, resolve_pointer

    raw = _read(invocation_of(context))
    document, findings = parse_state(raw, file=STATE)
    if document is None:
        raise _unusable(findings[0].message if findings else "it is no state document", findings)
    value = resolve_pointer(document.document, pointer)
    return Outcome({"ok": True, "pointer": pointer, "value": value}, lambda screen: [_shown(value)])


@command(
    "checksum",
    schema="state.checksum",
    examples=("devstate state checksum", "devstate state checksum --json"),
    help="Print the SHA-256 of the bytes of state.json: what the next entry has to name.",
)
@click.pass_context
def checksum(context: click.Context) -> Outcome:
    raw = _read(invocation_of(context))
    digest = hashlib.sha256(raw).hexdigest()

    def text(screen: Screen) -> Iterable[str]:
        return [f"{digest}  {STATE}"]

    return Outcome({"ok": True, "path": STATE, "sha256": digest, "bytes": len(raw)}, text)


@command(
    "history",
    schema="state.history",
    hidden=True,
    examples=(),
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def state_history() -> None:
    raise UsageError(
        "`state history` is not part of this version",
        remedy="Look through `devstate history search TEXT`, or git log -p -- .trae/state.json.",
    )


state.add_command(get)
state.add_command(checksum)
state.add_command(state_history)


def _read(call: Invocation) -> bytes:
    from devstate.durable import read_bounded
    from devstate.workspace import find_root, load_workspace_settings

    root = find_root(call.directory)
    limit = load_workspace_settings(root, flags=call.flags()).limits.file_bytes
    return read_bounded(os.path.join(root, STATE), limit=limit).data


def _unusable(why: str, findings: tuple[Any, ...]) -> DevStateError:
    error = DevStateError(
        f"{STATE} cannot be used: {why}",
        path=STATE,
        remedy=findings[0].remedy if findings else "Restore it from an earlier copy.",
    )
    if findings:
        error.code = findings[0].code
    error.exit_code = 1
    return error


def _shown(value: Any) -> str:
    import json

    from devstate.findings import visible, visible_json

    if isinstance(value, str):
        return visible(value)
    return visible_json(json.dumps(value, ensure_ascii=False, indent=2))
