"""The documents against their schemas: the published ones, and those that a workspace brings itself.

A workspace's own schema (`docs/STATE.schema.json`, `docs/HISTORY.schema.json`) decides what is
SCHEMA_INVALID. The published one is used too: what it alone refuses is SCHEMA_WEAKENED, a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, cast

from devstate.findings import CODES, Finding, Severity, Where
from devstate.pointer import join_pointer

from .builtin_schemas import HISTORY_SCHEMA, STATE_SCHEMA
from .full_check import Refusal, SchemaUnusable
from .own_schema import EntryJudge, ReadySchema, entry_judge, parse_schema, unusable
from .quick_check import Check, compile_check
from .state import HISTORY_FILE, STATE_FILE, StateDocument, add_lines

__all__ = ["HISTORY_SCHEMA_FILE", "STATE_SCHEMA_FILE", "check_history", "check_state"]

STATE_SCHEMA_FILE = "docs/STATE.schema.json"
HISTORY_SCHEMA_FILE = "docs/HISTORY.schema.json"

_MOST = 1000
_STATE: Final = ReadySchema(STATE_SCHEMA, compile_check(STATE_SCHEMA))
_ENTRY: Final = ReadySchema(HISTORY_SCHEMA["items"], compile_check(HISTORY_SCHEMA["items"]))

_Path = tuple[str | int, ...]


def check_state(
    state: StateDocument | dict[str, Any],
    own_schema: bytes | None = None,
    *,
    raw: bytes | None = None,
    file: str = STATE_FILE,
    schema_file: str = STATE_SCHEMA_FILE,
) -> tuple[Finding, ...]:
    """SCHEMA_INVALID and SCHEMA_WEAKENED, one for each place refused; `raw` is for line numbers.

    `own_schema` is the text of the workspace's schema. One that cannot be used is an error finding about
    `schema_file`, and the published schema decides alone.
    """
    document = state.document if isinstance(state, StateDocument) else state
    schema, findings = parse_schema(own_schema, STATE_SCHEMA, schema_file)
    own: tuple[Refusal, ...] | None = None
    if schema is not None:
        try:
            own = ReadySchema(schema, compile_check(schema)).refusals(document)
        except SchemaUnusable as fault:
            findings = (*findings, unusable(fault, own_schema, schema_file))
    found = _judged(_STATE.refusals(document), own, lambda path: Where(file, pointer=join_pointer(path)))
    return (*findings, *add_lines(tuple(found[:_MOST]), raw, file=file))


def check_history(
    entries: Iterable[tuple[int, Any]],
    own_schema: bytes | None = None,
    *,
    form: Literal["array", "entries"] = "array",
    file: str = HISTORY_FILE,
    schema_file: str = HISTORY_SCHEMA_FILE,
    most: int = _MOST,
) -> tuple[Finding, ...]:
    """The schema gate of a history: `entries` are (index, parsed entry), read once and not kept.

    After about `most` findings the rest is only counted. An own schema that asks for more than a form of each
    entry (their number, say) is held against all entries at once, which takes memory for all of them.
    """
    schema, findings = parse_schema(own_schema, HISTORY_SCHEMA, schema_file)
    found: list[Finding] = []
    own: EntryJudge | None = None
    if schema is not None:
        kept: list[tuple[int, Any]] | None = None

        def all_entries() -> Sequence[Any]:
            nonlocal kept
            kept = list(entries)
            return [entry for _, entry in kept]

        try:
            own, of_whole = entry_judge(schema, all_entries, form)
            found += _judged((), of_whole, lambda path: Where(file, pointer=join_pointer(path)))
        except SchemaUnusable as fault:
            findings = (*findings, unusable(fault, own_schema, schema_file))
        entries = entries if kept is None else kept
    failed: list[SchemaUnusable] = []
    found += _gate(entries, own, form, file, most, failed)
    return (*findings, *(unusable(fault, own_schema, schema_file) for fault in failed), *found)


def _gate(
    entries: Iterable[tuple[int, Any]],
    own: EntryJudge | None,
    form: str,
    file: str,
    most: int,
    failed: list[SchemaUnusable],
) -> list[Finding]:
    """The findings of all entries; an own schema that cannot be used after all goes to `failed`, once."""
    quick = cast(Check, _ENTRY.quick)
    found: list[Finding] = []
    more = {"SCHEMA_INVALID": 0, "SCHEMA_WEAKENED": 0}
    for position, (index, entry) in enumerate(entries):
        refused: tuple[Refusal, ...] | None = None
        try:
            if quick(entry) and (own is None or own.accepts(position, entry)):
                continue
            if len(found) >= most:
                weakened = own is not None and own.accepts(position, entry)
                more["SCHEMA_WEAKENED" if weakened else "SCHEMA_INVALID"] += 1
                continue
            if own is not None:
                refused = own.refusals(position, entry)
        except SchemaUnusable as fault:
            failed.append(fault)
            own = None
        before: _Path = (index,) if form == "array" else ("entries", index)
        where = _places(file, index, before)
        found += _judged(_ENTRY.refusals(entry), refused, where)
    return found + [_rest(code, count, file) for code, count in more.items() if count]


def _places(file: str, index: int, before: _Path) -> Callable[[_Path], Where]:
    return lambda path: Where(file, entry=index, pointer=join_pointer((*before, *path)))


def _rest(code: str, count: int, file: str) -> Finding:
    severity = Severity.WARNING if code == "SCHEMA_WEAKENED" else Severity.ERROR
    message = f"{count} more entries were not looked at one by one"
    return Finding(code, severity, message, Where(file), remedy=CODES[code].remedy)


def _judged(
    published: Sequence[Refusal], own: Sequence[Refusal] | None, where: Callable[[_Path], Where]
) -> list[Finding]:
    """One finding for each refusal; `own` is None where the published schema decides alone."""
    if own is None:
        return [_finding("SCHEMA_INVALID", refusal, where) for refusal in published]
    places = {refusal.path for refusal in own}
    return [
        *(_finding("SCHEMA_INVALID", refusal, where) for refusal in own),
        *(_finding("SCHEMA_WEAKENED", refusal, where) for refusal in published if refusal.path not in places),
    ]


def _finding(code: str, refusal: Refusal, where: Callable[[_Path], Where]) -> Finding:
    message, severity = refusal.message, Severity.ERROR
    if code == "SCHEMA_WEAKENED":
        message, severity = f"{message}; the workspace's own schema accepts it", Severity.WARNING
    place = join_pointer(refusal.path)
    message = f"{place}: {message}" if place else message
    return Finding(
        code, severity, message, where(refusal.path), refusal.expected, refusal.actual, CODES[code].remedy
    )
