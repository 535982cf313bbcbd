"""The No-Drift gate: everything that must hold before a change of the project may go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from devstate.durable import OS, Files
from devstate.findings import Finding, Severity
from devstate.trae import ArtifactReading, check_history

from .observing import own_schema
from .places import HISTORY, OWN_SCHEMAS, STATE
from .reading import HistoryReading, Reading

__all__ = ["ArtifactCounts", "Check", "CheckName", "Gate", "count_artifacts", "no_drift_gate"]

CheckName = Literal[
    "no_drift", "state_json", "state_schema", "artifacts", "history_json", "history_schema", "chain"
]

_ARTIFACT_CODES = frozenset({"ARTIFACT_MISMATCH", "ARTIFACT_MISSING", "SYMLINK", "PATH_ESCAPE"})
_SCHEMA_CODES = frozenset({"SCHEMA_INVALID", "SCHEMA_WEAKENED"})
# Faults of the text or of reading it, as against faults of what it says.
_TEXT_CODES = frozenset(
    {
        "CANON_UNREPRESENTABLE",
        "CHANGED_DURING_READ",
        "DUPLICATE_KEY",
        "EMPTY_HISTORY",
        "ENCODING",
        "INPUT_MISSING",
        "INPUT_UNREADABLE",
        "IO_ERROR",
        "LIMIT_EXCEEDED",
        "SHAPE",
        "TORN_FILE",
    }
)


class Check(msgspec.Struct, frozen=True):
    """One check of the gate; `findings` counts the errors that it found, `sentence` says how it ended."""

    name: CheckName
    ok: bool
    findings: int
    sentence: str


class ArtifactCounts(msgspec.Struct, frozen=True):
    """Listed artifacts. A path that is refused counts as mismatched.

    The three need not add up to `total`: an old checksum of history.json that the circle explains is none.
    """

    total: int
    matched: int
    mismatched: int
    missing: int


class Gate(msgspec.Struct, frozen=True):
    """The verdict of all checks, in their order, and all findings, gravest first."""

    ok: bool
    checks: tuple[Check, ...]
    artifacts: ArtifactCounts
    findings: tuple[Finding, ...]


def no_drift_gate(reading: Reading, *, files: Files = OS) -> Gate:
    """Judge a whole reading (scope `all`), and check the history against its schema besides.

    Raises what decoding entries raises where the history changed under an open reading.
    """
    schema_findings = _history_schema(reading, files)
    found = (*reading.findings, *schema_findings)
    groups: dict[CheckName, list[Finding]] = {name: [] for name in CheckName.__args__}
    for finding in found:
        groups[_check_of(finding)].append(finding)
    checks = tuple(_check(name, groups[name], reading) for name in groups)
    return Gate(
        ok=all(check.ok for check in checks),
        checks=checks,
        artifacts=count_artifacts(reading.artifacts),
        findings=tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity))),
    )


def count_artifacts(artifacts: Iterable[ArtifactReading]) -> ArtifactCounts:
    """How many of the listed artifacts are as listed, differ, or are not there."""
    items = tuple(artifacts)
    return ArtifactCounts(
        total=len(items),
        matched=sum(item.status == "matched" for item in items),
        mismatched=sum(item.status in ("mismatched", "refused") and item.code is not None for item in items),
        missing=sum(item.status == "missing" for item in items),
    )


def _history_schema(reading: Reading, files: Files) -> tuple[Finding, ...]:
    if reading.history is None:
        return ()
    own, found = own_schema(reading.root, HISTORY, files=files)
    form = reading.history.report.form or "array"
    return (*found, *check_history(_members(reading.history), own, form=form))


def _members(history: HistoryReading) -> Iterator[tuple[int, Any]]:
    """The entries that can be read, a block at a time, so that a large file is never in memory as a whole.

    What is wrong with their text is the chain's to say; here a lax decoder is enough where it understands.
    """
    for first, raws in history.index.raw_blocks(history.source):
        for number, raw in enumerate(raws, first):
            try:
                yield number, msgspec.json.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                entry = history.entry(number)
                if entry.readable:
                    yield number, entry.members


def _check_of(finding: Finding) -> CheckName:
    """The check that a finding belongs to: by its code first, by its file second."""
    file = finding.where.file
    pointer = finding.where.pointer or ""
    if finding.code == "NO_DRIFT_FALSE":
        return "no_drift"
    if finding.code in _ARTIFACT_CODES:
        return "artifacts"
    if file in (HISTORY, OWN_SCHEMAS[HISTORY]):
        if finding.code in _SCHEMA_CODES or file != HISTORY:
            return "history_schema"
        return "history_json" if finding.code in _TEXT_CODES else "chain"
    if file in (STATE, OWN_SCHEMAS[STATE]):
        if finding.code in _SCHEMA_CODES or file != STATE:
            return "state_schema"
        if (
            finding.code in _TEXT_CODES
            and pointer.startswith("/artifact_checksums/")
            and finding.where.offset is None
        ):
            return "artifacts"
        return "state_json"
    # Keys and the binding of both files have no file of their own; what is left lies beside the documents.
    return "chain" if file is None else "state_json"


def _check(name: CheckName, findings: Sequence[Finding], reading: Reading) -> Check:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        more = "" if len(errors) == 1 else f" (and {len(errors) - 1} more)"
        return Check(name, False, len(errors), f"{errors[0].code}: {errors[0].message}{more}")
    missed = _not_possible(name, reading)
    if missed is not None:
        return Check(name, False, 0, missed)
    return Check(name, True, 0, _GOOD[name])


def _not_possible(name: CheckName, reading: Reading) -> str | None:
    """Why the check could not be made; what was not checked has not passed."""
    if name in ("no_drift", "state_schema", "artifacts", "state_json"):
        if reading.state is None:
            return "not checked: state.json could not be read"
        if reading.state.document is None:
            return "not checked: state.json is no state document"
    elif reading.history is None:
        return "not checked: history.json could not be read"
    return None


_GOOD: dict[CheckName, str] = {
    "no_drift": "no_drift is true",
    "state_json": "state.json is well-formed JSON",
    "state_schema": "state.json satisfies its schema",
    "artifacts": "every listed artifact is there with its checksum",
    "history_json": "history.json is well-formed JSON",
    "history_schema": "every entry satisfies the schema",
    "chain": "every entry and every link verifies",
}
