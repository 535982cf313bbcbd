"""The artifacts that state.json lists, with the one that stands apart: history.json itself."""

from __future__ import annotations

from collections.abc import Callable

from devstate.chain import VerificationCancelled
from devstate.durable import OS, Files
from devstate.errors import InputMissing, InputUnreadable
from devstate.findings import CODES, Class, Finding, Severity, Where
from devstate.trae import ArtifactCache, ArtifactReading, ListedArtifact, check_artifacts

from .binding import names_history
from .places import HISTORY, STATE
from .reading import Binding, HistoryReading, StateReading

__all__ = ["check_listed"]


def check_listed(
    root: str,
    state: StateReading | None,
    history: HistoryReading | None,
    binding: Binding | None,
    *,
    cache: ArtifactCache | None = None,
    limit: int,
    cancelled: Callable[[], bool] | None = None,
    files: Files = OS,
) -> tuple[tuple[ArtifactReading, ...], list[Finding]]:
    """One reading for each listed artifact, in the order of the list, and what is wrong with them.

    A checksum of history.json that is only old (see `devstate.workspace.binding`) has the status `mismatched`
    without a code, and no finding: a later entry makes it old by necessity. Raises VerificationCancelled.
    """
    if state is None or state.document is None:
        return (), []
    own = [item for item in state.document.artifacts if history is not None and names_history(item.path)]
    others = [item for item in state.document.artifacts if item not in own]

    def check_cancelled() -> None:
        if cancelled is not None and cancelled():
            raise VerificationCancelled("the reading was cancelled")

    try:
        readings, findings = check_artifacts(
            root,
            others,
            cache=cache,
            files=files,
            limit=limit,
            raw=state.raw,
            file=STATE,
            check_cancelled=check_cancelled,
        )
    except (InputMissing, InputUnreadable) as error:
        return (), [Finding(error.code, Severity.ERROR, error.message, remedy=error.remedy)]
    found = list(findings)
    result = list(readings)
    for item in own:
        reading, finding = _history_item(item, history, binding)
        result.append(reading)
        if finding is not None:
            found.append(finding)
    return tuple(sorted(result, key=lambda reading: reading.index)), found


def _history_item(
    item: ListedArtifact, history: HistoryReading | None, binding: Binding | None
) -> tuple[ArtifactReading, Finding | None]:
    actual = history.sha256 if history is not None else None
    if actual == item.hash:
        return ArtifactReading(item.path, item.hash, actual, "matched", None, item.index), None
    if binding is not None and binding.history_entries is not None and _untouched(history):
        return ArtifactReading(item.path, item.hash, actual, "mismatched", None, item.index), None
    code = "ARTIFACT_MISMATCH"
    finding = Finding(
        code,
        Severity.ERROR,
        f"{HISTORY} is not the file that the checksum was taken of, and was not only appended to since",
        Where(STATE, pointer=f"/artifact_checksums/{item.index}/hash"),
        item.hash,
        actual,
        CODES[code].remedy,
    )
    return ArtifactReading(item.path, item.hash, actual, "mismatched", code, item.index), finding


def _untouched(history: HistoryReading | None) -> bool:
    """Whether nothing in the chain says that it was tampered with; a missing key says nothing of that."""
    if history is None:
        return False
    return all(finding.failure_class is not Class.INTEGRITY for finding in history.report.findings)
