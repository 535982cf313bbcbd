"""`.trae/state.json`: parsed strictly and within bounds, its known members typed."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from devstate.chain.limits import Limits
from devstate.findings import CODES, Finding, Severity, Where
from devstate.lines import lines_of
from devstate.strict_json import Fault, offsets_of, parse_strict

__all__ = [
    "HISTORY_FILE",
    "STATE_FILE",
    "Agent",
    "ListedArtifact",
    "StateDocument",
    "add_lines",
    "check_no_drift",
    "parse_state",
]

STATE_FILE = ".trae/state.json"
HISTORY_FILE = ".trae/history.json"

_DEFAULTS = Limits()
_WARNINGS = frozenset({"CONTROL_CHARS"})


class Agent(msgspec.Struct, frozen=True):
    """One item of `agents`; a member that is absent or no string is ""."""

    id: str
    name: str
    task: str
    cp: str
    status: str


class ListedArtifact(msgspec.Struct, frozen=True):
    """One item of `artifact_checksums` that names a path.

    `hash` is hex as listed, `index` its place in the list from 0.
    """

    path: str
    hash: str
    ts: str
    index: int


class StateDocument(msgspec.Struct, frozen=True):
    """The state. `document` is the whole of it as parsed, unknown members included, in file order.

    The typed members give "" (False, nothing) where the document holds none or one of another type; the
    schema check is what reports that.
    """

    document: dict[str, Any]
    project: str
    version: str
    current_cp: str
    updated_at: str
    no_drift: bool
    agents: tuple[Agent, ...]
    artifacts: tuple[ListedArtifact, ...]


def parse_state(
    data: bytes, *, file: str = STATE_FILE, limits: Limits = _DEFAULTS
) -> tuple[StateDocument | None, tuple[Finding, ...]]:
    """The document, and what is wrong with its bytes; never raises for what they hold.

    The document is None where the text is torn, is not UTF-8, breaks a limit, holds what programs would read
    differently (a lone surrogate, a number beyond 2^53), or is no object. A byte order mark and a doubled
    member are errors too, but leave a document to look at.
    """
    if len(data) > limits.file_bytes:
        message = f"the file has {len(data)} bytes, more than {limits.file_bytes} (limits.file_bytes)"
        return None, (_finding("LIMIT_EXCEEDED", message, Where(file)),)
    parsed = parse_strict(data, depth=limits.depth)
    findings = fault_findings(data, parsed.faults, file, limits.findings_per_code)
    if not parsed.usable:
        return None, findings
    value: Any = parsed.value
    if not isinstance(value, dict):
        where = Where(file, pointer="", line=1)
        message = "the state is not an object"
        return None, (*findings, _finding("SCHEMA_INVALID", message, where, "object", _kind(value)))
    return _typed(cast("dict[str, Any]", value)), findings


def check_no_drift(
    state: StateDocument, *, raw: bytes | None = None, file: str = STATE_FILE
) -> tuple[Finding, ...]:
    """NO_DRIFT_FALSE unless the member `no_drift` is there and true."""
    document = state.document
    if document.get("no_drift") is True:
        return ()
    actual = _kind(document["no_drift"]) if "no_drift" in document else "absent"
    if document.get("no_drift") is False:
        actual = "false"
    finding = _finding(
        "NO_DRIFT_FALSE",
        "the state does not say no_drift: true",
        Where(file, pointer="/no_drift"),
        "true",
        actual,
    )
    return add_lines((finding,), raw, file=file)


def add_lines(findings: tuple[Finding, ...], raw: bytes | None, *, file: str) -> tuple[Finding, ...]:
    """The findings with a line number wherever one names a pointer into this file and has none.

    A pointer to an absent member gets the line of the nearest value around it.
    """
    if raw is None:
        return findings
    wanted = {
        prefix
        for finding in findings
        if _needs_line(finding, file) and finding.where.pointer is not None
        for prefix in _prefixes(finding.where.pointer)
    }
    if not wanted:
        return findings
    offsets = offsets_of(raw, wanted)
    lines = lines_of(raw, offsets.values())

    def with_line(finding: Finding) -> Finding:
        if not _needs_line(finding, file):
            return finding
        found = (offsets[p] for p in _prefixes(cast(str, finding.where.pointer)) if p in offsets)
        offset = next(found, None)
        if offset is None:
            return finding
        return msgspec.structs.replace(
            finding, where=msgspec.structs.replace(finding.where, line=lines[offset])
        )

    return tuple(map(with_line, findings))


def _needs_line(finding: Finding, file: str) -> bool:
    where = finding.where
    return where.file == file and where.line is None and where.pointer is not None


def _prefixes(pointer: str) -> list[str]:
    """The pointer and those of everything around it, the nearest first, down to the whole document."""
    prefixes = [pointer]
    while pointer:
        pointer = pointer[: pointer.rindex("/")] if "/" in pointer else ""
        prefixes.append(pointer)
    return prefixes


def fault_findings(data: bytes, faults: tuple[Fault, ...], file: str, most: int) -> tuple[Finding, ...]:
    """The faults of a parse as findings with lines, at most `most` of each code."""
    lines = lines_of(data, (fault.offset for fault in faults))
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    for fault in faults:
        counts[fault.code] = counts.get(fault.code, 0) + 1
        if counts[fault.code] > most:
            continue
        where = Where(file, pointer=fault.pointer, line=lines[fault.offset], offset=fault.offset)
        findings.append(_finding(fault.code, fault.message, where, fault.expected, fault.actual))
    return tuple(findings)


def _finding(
    code: str, message: str, where: Where, expected: str | None = None, actual: str | None = None
) -> Finding:
    severity = Severity.WARNING if code in _WARNINGS else Severity.ERROR
    return Finding(code, severity, message, where, expected, actual, CODES[code].remedy)


def _typed(document: dict[str, Any]) -> StateDocument:
    return StateDocument(
        document=document,
        project=_text(document, "project"),
        version=_text(document, "version"),
        current_cp=_text(document, "current_cp"),
        updated_at=_text(document, "updated_at"),
        no_drift=document.get("no_drift") is True,
        agents=tuple(
            Agent(*(_text(item, name) for name in Agent.__struct_fields__))
            for _, item in _objects(document.get("agents"))
        ),
        artifacts=tuple(
            ListedArtifact(item["path"], _text(item, "hash"), _text(item, "ts"), index)
            for index, item in _objects(document.get("artifact_checksums"))
            if isinstance(item.get("path"), str)
        ),
    )


def _objects(value: Any) -> list[tuple[int, dict[str, Any]]]:
    if not isinstance(value, list):
        return []
    items = cast("list[Any]", value)
    return [
        (index, cast("dict[str, Any]", item)) for index, item in enumerate(items) if isinstance(item, dict)
    ]


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(cast("type[Any]", type(value)), "number")
