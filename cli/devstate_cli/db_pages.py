"""A database in words and as documents: its files, what opening it comes to, damage, snapshots."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devstate.engine.inspection import judge_snapshot, look_at
from devstate.engine.jsonable import jsonable
from devstate.engine.log_outline import outline_faults
from devstate.engine.reports import reason_in_words
from devstate.findings import shortened, visible
from devstate.plans import Target

from .run_pages import STATUS_STYLES
from .screen import Screen
from .shown_values import ago, moment, size_of
from .verdict import wrapped

if TYPE_CHECKING:
    from devstate.engine import Database, RecoveryResult
    from devstate.engine.inspection import FolderLook, OpeningPreview
    from devstate.engine.reports import CorruptionReport, Defect
    from devstate.engine.salvage import SalvageReport
    from devstate.engine.snapshot_file import SnapshotInfo

__all__ = [
    "InfoPage",
    "below_lines",
    "faults_below",
    "files_of",
    "info_document",
    "info_lines",
    "judged_snapshots",
    "looked_at",
    "recovery_document",
    "recovery_lines",
    "recovery_targets",
    "report_document",
    "salvage_document",
    "salvage_lines",
    "snapshot_lines",
    "taken_lines",
]

_MOST = 12
_NOT_VERIFIED = "entries below the snapshot are verified by `devstate db check`, not here"
_FOLDERS = ("wal", "history", "snapshots", "quarantine")

_WIDE = 93  # columns of the table of snapshots


@dataclass(frozen=True)
class InfoPage:
    """What `db info` shows. `runs` counts them by status; `quarantine` are the folders of what was set aside, `below`
    the faults that the outline of the log shows below the snapshot that it opens from."""

    look: FolderLook
    result: RecoveryResult
    last_cv: int
    runs: dict[str, int]
    snapshots: list[dict[str, Any]]
    degraded: tuple[int, ...]
    quarantine: tuple[str, ...]
    below: tuple[Defect, ...]

    @property
    def damaged(self) -> bool:
        """Whether committed data is damaged, as far as this look goes."""
        return self.result.corruption is not None or bool(self.below)


def looked_at(database: Database) -> InfoPage:
    """Look at an open database and its folder; every snapshot is read through."""
    root = database.path or ""
    runs: dict[str, int] = {}
    for run in database.list_runs():
        runs[run.status.value] = runs.get(run.status.value, 0) + 1
    look, result = look_at(root), database.recovery
    return InfoPage(
        look=look,
        result=result,
        last_cv=database.last_cv,
        runs=runs,
        snapshots=judged_snapshots(root),
        degraded=database.degraded,
        quarantine=_names(os.path.join(root, "quarantine")),
        below=faults_below(look, result),
    )


def faults_below(look: FolderLook, result: RecoveryResult) -> tuple[Defect, ...]:
    """What the outline of the log shows to be wrong below the snapshot that opening starts from."""
    return outline_faults(look.root, look.segments, result.wal_replay_from_offset, salt=look.salt)


def info_document(page: InfoPage) -> dict[str, Any]:
    """The members of `devstate.db/1` after `ok`."""
    look = page.look
    return {
        "path": look.root,
        "uuid": look.meta.db_uuid.hex() if look.meta is not None else None,
        "created": look.meta.created if look.meta is not None else None,
        "durability": "buffered",
        "last_cv": page.last_cv,
        "last_ts": page.result.last_ts or None,
        "runs": sum(page.runs.values()),
        "runs_by_status": page.runs,
        "segments": [
            {
                "file": os.path.relpath(segment.path, look.root),
                "start_lsn": segment.start,
                "bytes": segment.size,
                "archived": segment.archived,
            }
            for segment in look.segments
        ],
        "snapshots": page.snapshots,
        "below_snapshot": _below_document(page),
        "held_by": look.holder,
        "degraded": list(page.degraded),
        "quarantine": list(page.quarantine),
        "recovery": recovery_document(page.result),
        "report": report_document(page.result.corruption),
    }


def info_lines(page: InfoPage, screen: Screen) -> Iterator[str]:
    """The same for a person."""
    now = time.time_ns() // 1000
    look, result = page.look, page.result
    if result.corruption is not None:
        verdict = screen.paint("✘ DAMAGED", "bad")
    elif page.below:
        verdict = screen.paint("✘ HISTORY DAMAGED", "bad")
    else:
        verdict = screen.paint("✔ opens whole", "good")
    yield f"{verdict}  {screen.paint(visible(look.root), 'strong')}"
    yield ""
    rows: list[tuple[str, str]] = []
    if look.meta is not None:
        rows.append(("made", f"{moment(look.meta.created)}  {ago(look.meta.created, now)}"))
    else:
        rows.append(("META", visible(look.fault)))
    last = f"commit {page.last_cv:,}" if page.last_cv else "none yet"
    if page.last_cv and result.last_ts:
        last += f"  {moment(result.last_ts)}  {ago(result.last_ts, now)}"
    rows.append(("last commit", last))
    runs = [
        screen.paint(f"{number:,} {name}", STATUS_STYLES.get(name, "plain"))
        for name, number in page.runs.items()
    ]
    rows.append(("runs", ", ".join(runs) or "none yet"))
    live = [segment for segment in look.segments if not segment.archived]
    old = [segment for segment in look.segments if segment.archived]
    rows.append(("log", _segments_in_words(live)))
    if old:
        rows.append(("history", _segments_in_words(old)))
    if look.holder is not None:
        rows.append(("open", f"by process {look.holder}, in exclusive mode"))
    if page.degraded:
        types = ", ".join(f"0x{kind:02X}" for kind in page.degraded)
        rows.append(
            ("degraded", f"types {types} are not known here; nothing is deleted while they are there")
        )
    if page.quarantine:
        rows.append(
            (
                "set aside",
                f"{len(page.quarantine):,} in quarantine/: {visible(', '.join(page.quarantine[:3]))}",
            )
        )
    rows.append(("opening", visible(result.summary())))
    if result.wal_replay_from_offset:
        rows.append(("below it", _below_in_words(look)))
    yield from _rows(rows, screen)
    yield ""
    yield from snapshot_lines(page.snapshots, screen)
    if result.corruption is not None:
        yield ""
        yield from _report_lines(result.corruption, screen)
    if page.below:
        yield ""
        yield from below_lines(page.below, look.root, screen, whole=result.corruption is None)


def below_lines(faults: Sequence[Defect], root: str, screen: Screen, *, whole: bool = True) -> Iterator[str]:
    """What is wrong below the snapshot, and what that means; `whole` where nothing is above it."""
    for fault in faults[:_MOST]:
        yield f"  {screen.paint('✘', 'bad')} {visible(_fault_in_words(fault, root))}"
    if len(faults) > _MOST:
        yield f"  ... and {len(faults) - _MOST:,} more"
    arrow = screen.paint("→", "look")
    if whole:
        yield f"  {arrow} The present state is whole without it; runs that wrote there cannot be replayed."
    yield f"  {arrow} `devstate db check` shows all damage."


def recovery_document(result: RecoveryResult) -> dict[str, Any]:
    """A `RecoveryResult`; the report on damage has its own place."""
    told: dict[str, Any] = jsonable(result)
    told.pop("corruption", None)
    told["snapshots_rejected"] = [
        {"file": path, "reason": reason} for path, reason in result.snapshots_rejected
    ]
    return {**told, "summary": result.summary(), "has_issues": result.has_issues}


def report_document(report: CorruptionReport | None) -> dict[str, Any] | None:
    """A `CorruptionReport`, with its sentences."""
    if report is None:
        return None
    return {**jsonable(report), "meaning": reason_in_words(report.reason), "sentences": report.sentences()}


def recovery_lines(
    result: RecoveryResult, screen: Screen, *, repaired: bool = False, whole: bool = True
) -> Iterator[str]:
    """What recovery came to; `whole` where the log below the snapshot looks so too."""
    lost = result.corruption
    if repaired:
        yield f"{screen.paint('✔ repaired', 'good')}  {visible(result.summary())}"
    elif lost is not None:
        yield f"{screen.paint('✘ DAMAGED', 'bad')}  {visible(result.summary())}; nothing was changed"
    else:
        yield f"{screen.paint('✔ opens whole' if whole else '✔ opens', 'good')}  {visible(result.summary())}"
    for path, reason in result.snapshots_rejected:
        yield f"  ! {visible(os.path.basename(path))} is rejected ({visible(reason)})"
    if result.tail_bytes_discarded:
        words = reason_in_words(result.tail_reason or "")
        yield f"  ! {result.tail_bytes_discarded:,} bytes behind the last commit were never committed: {words}"
    if lost is not None and not repaired:
        yield ""
        yield from _report_lines(lost, screen)


def recovery_targets(root: str, preview: OpeningPreview, base: str) -> tuple[Target, ...]:
    """What a repair would do, file by file."""
    result, lost = preview.result, preview.lost
    if result is None:
        return ()
    found: list[Target] = []

    def told(path: str, what: str) -> None:
        found.append(Target(os.path.relpath(path, base), None, None, what))

    if result.meta_rebuilt:
        told(os.path.join(root, "META"), "write: the identity, from a snapshot or the log")
    for path, reason in result.snapshots_rejected:
        told(path, f"move: to {os.path.basename(path)}.bad, as it is damaged ({reason})")
    if lost is not None:
        told(
            os.path.join(root, "wal"),
            f"cut: {lost.bytes_cut:,} bytes behind commit {lost.last_cv or 0}, kept in quarantine/: "
            f"{lost.intact_commits_cut:,} intact commits go with them",
        )
    elif result.tail_bytes_discarded:
        told(
            os.path.join(root, "wal"), f"cut: {result.tail_bytes_discarded:,} bytes that were never committed"
        )
    return tuple(found)


def judged_snapshots(root: str) -> list[dict[str, Any]]:
    """Every snapshot, newest first, read through."""
    look = look_at(root)
    found: list[dict[str, Any]] = []
    for file in look.snapshots:
        verdict = judge_snapshot(file, look.salt)
        info = verdict.info
        found.append(
            {
                "file": os.path.basename(file.path),
                "wal_offset": file.wal_offset,
                "valid": info is not None,
                "bytes": file.size,
                "cv": info.cv if info is not None else None,
                "timestamp": info.timestamp if info is not None else None,
                "records": sum(info.records.values()) if info is not None else None,
                "reason": None if info is not None else verdict.reason,
            }
        )
    return found


def snapshot_lines(found: Sequence[dict[str, Any]], screen: Screen) -> Iterator[str]:
    """A table of snapshots."""
    if not found:
        yield "no snapshots yet: the database opens from its log"
        return
    if screen.width < _WIDE:
        yield from _narrow_snapshots(found, screen)
        return
    yield screen.paint(f"{'snapshot':<37}    {'commit':>9}  {'of':<20}  {'records':>9}  {'size':>8}", "dim")
    for one in found:
        mark = screen.paint("✔", "good") if one["valid"] else screen.paint("✘", "bad")
        if not one["valid"]:
            yield f"{one['file']:<37}  {mark} {shortened(_why(one), max(20, screen.width - 42))}"
            continue
        yield (
            f"{one['file']:<37}  {mark} {one['cv']:>9,}  {moment(one['timestamp']):<20}  "
            f"{one['records']:>9,}  {size_of(one['bytes']):>8}"
        )


def _narrow_snapshots(found: Sequence[dict[str, Any]], screen: Screen) -> Iterator[str]:
    """Two lines for each, where the table does not fit."""
    for one in found:
        mark = screen.paint("✔", "good") if one["valid"] else screen.paint("✘", "bad")
        yield f"{mark} {shortened(one['file'], max(20, screen.width - 2))}"
        told = _why(one)
        if one["valid"]:
            told = f"commit {one['cv']:,}, {_records(one['records'])}, {size_of(one['bytes'])}"
        yield f"  {shortened(told, max(20, screen.width - 2))}"


def _why(one: dict[str, Any]) -> str:
    """Why a snapshot is rejected, without its name once more."""
    return str(one["reason"]).rpartition(" is not a sound snapshot: ")[2]


def _records(number: int) -> str:
    return f"{number:,} record" if number == 1 else f"{number:,} records"


def taken_lines(info: SnapshotInfo, gone: Sequence[str], screen: Screen) -> Iterator[str]:
    """What taking a snapshot did."""
    records = sum(info.records.values())
    yield (
        f"{screen.paint('✔ done', 'good')}  {os.path.basename(info.path)}: commit {info.cv:,}, {_records(records)}, "
        f"{size_of(info.bytes)}"
    )
    for name in gone[:_MOST]:
        verb = "moved into history/" if name.startswith("wal/") else "removed"
        yield f"  {verb}  {visible(name)}"
    if len(gone) > _MOST:
        yield f"  ... and {len(gone) - _MOST:,} more"


def salvage_document(report: SalvageReport) -> dict[str, Any]:
    """What was saved."""
    told = report.to_dict()
    told.pop("corruption", None)
    return {"salvaged": told, "report": report_document(report.corruption)}


def salvage_lines(report: SalvageReport, screen: Screen) -> Iterator[str]:
    """The same for a person."""
    if report.path is None:
        yield f"nothing was written: {visible(report.detail)}"
        return
    cvs = f"commits {report.cvs[0]:,} to {report.cvs[1]:,}" if report.cvs is not None else "no commits"
    runs = "1 run" if len(report.runs) == 1 else f"{len(report.runs):,} runs"
    commits = "1 intact commit" if report.transactions == 1 else f"{report.transactions:,} intact commits"
    yield f"{screen.paint('✔ done', 'good')}  {commits} ({cvs}, of {runs}) written to {visible(report.path)}"
    yield "  They are not in the database, and must not be applied without those before them."


def files_of(root: str) -> set[str]:
    """The files of the folders of a database, relative to it."""
    return {f"{folder}/{name}" for folder in _FOLDERS for name in _names(os.path.join(root, folder))}


def _names(folder: str) -> tuple[str, ...]:
    from devstate.durable import list_folder
    from devstate.errors import InputMissing

    try:
        return tuple(sorted(list_folder(folder)))
    except InputMissing:
        return ()


def _below_document(page: InfoPage) -> dict[str, Any] | None:
    through = page.result.wal_replay_from_offset
    if not through:
        return None
    root, segments = page.look.root, page.look.segments
    return {
        "wal_offset": through,
        "kept_from": segments[0].start if segments else None,
        "faults": [
            {
                "file": os.path.relpath(fault.segment, root),
                "offset": fault.offset,
                "lsn": fault.lsn,
                "reason": fault.reason,
                "message": _fault_in_words(fault, root),
            }
            for fault in page.below
        ],
        "note": _NOT_VERIFIED,
    }


def _below_in_words(look: FolderLook) -> str:
    first = look.segments[0].start if look.segments else 0
    kept = f"the log begins at LSN {first:,}, and what was before cannot be replayed; " if first else ""
    return f"{kept}{_NOT_VERIFIED}"


def _fault_in_words(fault: Defect, root: str) -> str:
    where = f"{os.path.relpath(fault.segment, root)}, byte {fault.offset} (LSN {fault.lsn})"
    return f"{where}: {reason_in_words(fault.reason)} ({fault.detail})"


def _segments_in_words(segments: Sequence[Any]) -> str:
    if not segments:
        return "none"
    total = sum(segment.size for segment in segments)
    many = "1 segment" if len(segments) == 1 else f"{len(segments):,} segments"
    return f"{many}, {size_of(total)}, LSN {segments[0].start:,} to {segments[-1].end:,}"


def _report_lines(report: CorruptionReport, screen: Screen) -> Iterator[str]:
    for sentence in report.sentences():
        first, *rest = wrapped(visible(sentence), screen.width - 4)
        yield f"  {screen.paint('→', 'look')} {first}"
        yield from (" " * 4 + line for line in rest)


def _rows(rows: Sequence[tuple[str, str]], screen: Screen) -> Iterator[str]:
    for name, value in rows:
        yield f"  {screen.paint(f'{name:<12}', 'dim')}  {value}"
