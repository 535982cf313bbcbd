"""What opening a database would do, in words; found by a recovery in memory, which writes nothing."""

from __future__ import annotations

import os

from devstate.engine.inspection import (
    OpeningPreview,
    moment_text,
    preview_opening,
    reason_in_words,
    type_name,
)
from devstate.findings import visible

__all__ = ["opening_report"]

_LABEL = 12


def opening_report(folder: str, *, damaged_history: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """A title, and lines as (text, tone). Costs what opening costs; changes nothing.

    `damaged_history`: below the snapshot that opening starts at the log is damaged; opening does not read there.
    """
    preview = preview_opening(folder)
    lines = [*_verdict(preview, damaged_history), ("", ""), *_facts(preview, folder)]
    return "What opening this database would do", lines


def _verdict(preview: OpeningPreview, damaged_history: bool) -> list[tuple[str, str]]:
    result, end, lost = preview.result, preview.end, preview.lost
    if preview.fault is not None or result is None or end is None:
        message = preview.fault.message if preview.fault is not None else "it cannot be read"
        remedy = preview.fault.remedy if preview.fault is not None else ""
        return [("✘ It could not be opened.", "bad"), (visible(message), ""), (visible(remedy), "muted")]
    if lost is not None:
        first, *rest = lost.sentences()
        return [
            ("✘ Opening refuses: committed data is damaged.", "bad"),
            (visible(first.replace(lost.segment, os.path.basename(lost.segment), 1)), ""),
            ("", ""),
            *((visible(sentence), "") for sentence in rest),
        ]
    if result.tail_bytes_discarded:
        why = reason_in_words(result.tail_reason or "unfinished")
        lines = [
            (f"! It opens, and cuts {result.tail_bytes_discarded:,} bytes off the end of the log.", "look"),
            (f"  {why[0].upper()}{why[1:]}: what a crash leaves. No acknowledged commit is in it.", ""),
        ]
    elif result.has_issues:
        lines = [("! It opens; what was not in order is below.", "look")]
    else:
        order = "what it reads is in order" if damaged_history else "everything is in order"
        lines = [(f"✔ It opens; {order}.", "good")]
    if damaged_history:
        lines += [
            ("! The log before its snapshot is damaged: the state is whole without it,", "look"),
            ("  but runs that wrote there cannot be replayed over the damage.", "look"),
        ]
    if preview.moved:
        lines.append(("  Somebody is writing: this was the state a moment ago.", "muted"))
    return lines


def _facts(preview: OpeningPreview, folder: str) -> list[tuple[str, str]]:
    result, end = preview.result, preview.end
    if result is None or end is None:
        return [(_pair("database", visible(folder)), "")]
    used = result.snapshot_used
    start = (
        f"{visible(os.path.basename(used.path))}, up to commit {used.cv:,}"
        if used is not None
        else "none: the whole log is replayed"
    )
    lines = [
        _pair("snapshot", start),
        _pair(
            "replayed",
            f"{_many(result.transactions_recovered, 'transaction')}, "
            f"{_many(result.wal_entries_replayed, 'entry', 'entries')}, "
            f"LSN {result.wal_replay_from_offset:,} to {result.wal_end_offset:,}",
        ),
        _pair("commit", f"{result.last_cv:,}, of {moment_text(result.last_ts)[:19].replace('T', ' ')} UTC"),
        _pair(
            "tail",
            f"{result.tail_bytes_discarded:,} bytes cut off" if result.tail_bytes_discarded else "none",
        ),
        _pair(
            "gaps",
            f"{_many(result.corrupt_entries_skipped, 'harmless gap')} passed over"
            if result.corrupt_entries_skipped
            else "none",
        ),
        _pair("closed", "cleanly" if result.clean_close else "not cleanly: in use, or after a crash"),
    ]
    said = [(line, "") for line in lines]
    for path, reason in result.snapshots_rejected:
        said.append((_pair("rejected", f"{visible(os.path.basename(path))}: {visible(reason)}"), "bad"))
    for gap in end.gaps:
        said.append(
            (_pair("", f"{gap.bytes:,} bytes at LSN {gap.lsn:,}: {reason_in_words(gap.reason)}"), "look")
        )
    if result.orphaned_transactions:
        said.append(
            (
                _pair("unfinished", f"{_many(result.orphaned_transactions, 'transaction')} without a marker"),
                "look",
            )
        )
    if result.orphaned_runs:
        runs = ", ".join(run[:8] for run in result.orphaned_runs[:6])
        said.append(
            (
                _pair(
                    "orphaned", f"{_many(len(result.orphaned_runs), 'run')}, whose process is gone: {runs}"
                ),
                "look",
            )
        )
    if result.degraded_types:
        kinds = ", ".join(type_name(kind) for kind in result.degraded_types)
        said.append((_pair("unknown", f"{kinds}: kept, nothing is deleted"), "look"))
    if result.meta_rebuilt:
        said.append((_pair("META", "missing: taken from a snapshot or from the log"), "look"))
    said += [("", ""), ("Found by reading alone; nothing was changed.", "muted")]
    return said


def _pair(label: str, value: str) -> str:
    return f"{label:<{_LABEL}}{value}"


def _many(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
