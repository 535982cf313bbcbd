"""Runs as the Runs screen shows them: rows, what is known of one, its steps and its spans, and the filter."""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from devstate.engine.inspection import describe_entry, describers, moment_text
from devstate.engine.inspection_fields import type_name
from devstate.engine.jsonable import jsonable
from devstate.errors import DevStateError, UsageError
from devstate.findings import visible

from .lines import Line

if TYPE_CHECKING:
    from devstate.engine.framing import Transaction
    from devstate.engine.primitives.runs import RunMetadata
    from devstate.engine.primitives.span_trees import SpanNode
    from devstate.engine.reports import CorruptionReport

__all__ = [
    "HINT",
    "RunFilter",
    "SpanLine",
    "about_lines",
    "damage_words",
    "diff_command",
    "duration_text",
    "length_of",
    "located",
    "moment",
    "parse_run_filter",
    "replay_command",
    "runs_line",
    "span_lines",
    "status_of",
    "step_document",
    "step_words",
]

Tone = Literal["good", "bad", "look", "plain", "muted", "accent"]
HINT = "status:active  tag:eval  words of a name, an id or the metadata"
_STATUS: dict[str, tuple[str, Tone]] = {
    "active": ("●", "accent"),
    "paused": ("‖", "look"),
    "completed": ("✔", "good"),
    "failed": ("✘", "bad"),
    "cancelled": ("–", "muted"),
    "archived": ("·", "muted"),
    "orphaned": ("!", "look"),
}


def status_of(run: RunMetadata) -> tuple[str, str, Tone]:
    """Glyph, word and tone of a run's status."""
    glyph, tone = _STATUS.get(run.status.value, ("?", "muted"))
    return glyph, run.status.value, tone


def moment(us: int | None) -> str:
    """`2026-03-11 14:06:31` in UTC; "" for None."""
    return "" if us is None else moment_text(us)[:19].replace("T", " ")


def duration_text(us: int | None) -> str:
    """`480 us`, `12 ms`, `1.2 s`, `3 m 04 s`, `2 h 05 m`."""
    if us is None or us < 0:
        return ""
    if us < 1000:
        return f"{us} us"
    if us < 1_000_000:
        return f"{us // 1000} ms"
    seconds = us / 1e6
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    return (
        f"{minutes} m {int(seconds) % 60:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"
    )


def length_of(run: RunMetadata) -> int | None:
    """How long a finished run took, in microseconds."""
    return None if run.ended_at is None else run.ended_at - (run.started_at or run.created_at)


def damage_words(lost: CorruptionReport) -> str:
    """What the damage of the log means for the runs."""
    return f"damaged log, read up to commit {lost.last_cv:,}" if lost.last_cv else "damaged log"


def runs_line(
    runs: Sequence[RunMetadata],
    error: DevStateError | None,
    *,
    heavy: bool = False,
    lost: CorruptionReport | None = None,
) -> Line:
    """The runs as a line of the Overview: how many go on, and those that want a look."""
    if error is not None:
        return Line("runs", "Runs", "✘", "not readable", visible(error.message), "bad", "wal")
    if heavy:
        return Line("runs", "Runs", "·", "not counted", "a large log; Enter reads it", "muted", "runs")
    if lost is not None:
        return Line("runs", "Runs", "✘", "DAMAGED", f"{damage_words(lost)}; Enter shows it", "bad", "wal")
    if not runs:
        return Line("runs", "Runs", "·", "none", "`devstate run record -- CMD` makes one", "muted", "runs")
    counts = Counter(run.status.value for run in runs)
    active, orphaned, failed = counts["active"], counts["orphaned"], counts["failed"]
    # What wants a look is the word, where nothing goes on that would be it.
    word = f"{active:,} active" if active or not orphaned else f"{orphaned:,} orphaned"
    parts = [f"{orphaned:,} orphaned"] if orphaned and active else []
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"{counts['completed']:,} completed", f"{len(runs):,} in all"]
    newest = f"newest {visible(runs[0].name or runs[0].run_id[:8])}"
    glyph, tone = ("!", "look") if orphaned else ("●", "plain") if active else ("·", "plain")
    text = "   ".join([*parts, newest])
    return Line("runs", "Runs", glyph, word, text, tone, "runs", shorter=("   ".join(parts),))


# -- the filter --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunFilter:
    """A run passes when it passes every part that is there."""

    status: str = ""
    tags: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def passes(self, run: RunMetadata) -> bool:
        """Whether a run passes."""
        if self.status and run.status.value != self.status:
            return False
        if any(tag not in run.tags for tag in self.tags):
            return False
        if not self.words:
            return True
        parts = (run.run_id, run.name or "", run.parent or "", *run.tags, run.reason or "")
        text = " ".join((*parts, json.dumps(jsonable(run.metadata), ensure_ascii=False))).lower()
        return all(word in text for word in self.words)


def parse_run_filter(text: str) -> RunFilter:
    """The filter that a text says. Raises UsageError."""
    status = ""
    tags: list[str] = []
    words: list[str] = []
    for part in text.split():
        field, colon, value = part.partition(":")
        if not colon or not field.isalpha():
            words.append(part.lower())
        elif field == "status":
            if value not in _STATUS:
                raise UsageError(f"no run is {value!r}", remedy=", ".join(_STATUS))
            status = value
        elif field == "tag" and value:
            tags.append(value)
        else:
            raise UsageError(f"runs have no field {field!r}", remedy="status, tag, or plain words")
    return RunFilter(status, tuple(tags), tuple(words))


# -- what is known of one ----------------------------------------------------------------------------------


def about_lines(
    run: RunMetadata, last_written: int | None, fault: str = "", lost: CorruptionReport | None = None
) -> list[tuple[str, str, Tone]]:
    """(label, text, tone): what is known of a run, and what can be done."""
    glyph, word, tone = status_of(run)
    lines: list[tuple[str, str, Tone]] = [("status", f"{glyph} {word}", tone)]
    lines += _owner(run, last_written)
    if lost is not None and run.ended_at is None:
        # What it did behind the damage is not read: it may have ended, so do not tell how to end it.
        lines.append(("", f"As of commit {lost.last_cv or 0:,}, where the log is damaged.", "bad"))
        lines.append(("", "How it went on is not known; `devstate db check` tells more.", "bad"))
    elif run.status.value == "orphaned":
        lines.append(("", "It was begun and never ended. Say how it ended:", "plain"))
        lines.extend(("", f"devstate run {word} {run.run_id}", "plain") for word in ("end", "abort"))
    lines.append(("id", run.run_id, "plain"))
    if run.name:
        lines.append(("name", visible(run.name), "plain"))
    if run.parent:
        lines.append(("parent", run.parent, "plain"))
    if run.tags:
        lines.append(("tags", visible(", ".join(run.tags)), "plain"))
    lines.append(("started", f"{moment(run.started_at or run.created_at)} UTC", "plain"))
    if run.ended_at is not None:
        lines.append(("ended", f"{moment(run.ended_at)} UTC, after {duration_text(length_of(run))}", "plain"))
    if run.reason:
        lines.append(("reason", visible(run.reason), "bad" if word == "failed" else "plain"))
    lines.append(("commits", f"{run.tx_count:,}, versions {run.first_cv:,} to {run.last_cv:,}", "plain"))
    if fault:
        lines.append(("history", visible(fault), "bad"))
    for name, value in run.metadata.items():
        lines.append((visible(name), visible(json.dumps(jsonable(value), ensure_ascii=False)), "plain"))
    lines.append(("", "", "plain"))
    lines.extend(("do", command, "muted") for command in _commands(run))
    return lines


def _owner(run: RunMetadata, last_written: int | None) -> list[tuple[str, str, Tone]]:
    owner = run.owner
    who = (
        f"process {owner[0]} on {visible(str(owner[1]))}"
        if owner is not None and len(owner) > 1
        else "its process"
    )
    written = f"; last written {moment(last_written)} UTC" if last_written is not None else ""
    if run.status.value == "orphaned":
        return [
            ("owner", f"{who} is gone{written}", "look"),
        ]
    if run.status.value == "active":
        return [("owner", f"{who} is alive{written}", "plain")]
    return []


def _commands(run: RunMetadata) -> list[str]:
    run_id = run.run_id
    found = [f"devstate run show {run_id}", replay_command(run_id)]
    if run.parent:
        found.append(diff_command(run.parent, run_id))
    return found


def replay_command(run_id: str) -> str:
    """The command line that replays a run."""
    return shlex.join(["devstate", "replay", run_id])


def diff_command(a: str, b: str) -> str:
    """The command line that compares two runs."""
    return shlex.join(["devstate", "diff", f"run:{a}", f"run:{b}"])


def located(command: str, root: str, folder: str) -> str:
    """The same command line, to be run anywhere: in the workspace `root`, or on another database `folder`."""
    if folder == os.path.join(root, ".trae", "store"):
        return command.replace("devstate ", f"devstate -C {shlex.quote(root)} ", 1)
    return f"{command} --db {shlex.quote(folder)}"


# -- steps -------------------------------------------------------------------------------------------------


def step_words(step: Transaction) -> str:
    """What a step did, in one line."""
    said: list[str] = []
    for entry in step.entries[:6]:
        told = _told(entry.entry_type, entry.payload, entry.version, entry.tx_id, entry.lsn)
        content = told.get("content") or {}
        if "kind" in content:  # a span is told by its name: its key is a long number
            said.append(f"{told['name']} {content['kind']} {content.get('name', '')}")
            continue
        key = content.get("key")
        rest = _brief(content)
        said.append(" ".join(part for part in (told["name"], "" if key is None else str(key), rest) if part))
    more = len(step.entries) - 6
    return visible("; ".join(said) + (f"; and {more} more" if more > 0 else ""))[:400]


def step_document(step: Transaction) -> str:
    """A step with all its entries, as JSON."""
    entries = [
        {
            "type": type_name(entry.entry_type),
            **_told(entry.entry_type, entry.payload, entry.version, entry.tx_id, entry.lsn)["content"],
        }
        for entry in step.entries
    ]
    told = {"cv": step.cv, "ts": moment_text(step.ts), "lsn": step.lsn, "entries": entries}
    return json.dumps(told, indent=2, ensure_ascii=False)


_KINDS = describers()
_HIDDEN = frozenset({"op", "key", "ver", "hash", "from_ver", "metadata", "parent"})


def _told(kind: int, payload: bytes, version: int, tx_id: bytes, lsn: int) -> dict[str, Any]:
    # The describer takes an entry as it stands in the log: its length and checksum are not looked at.
    return describe_entry(b"\0\0\0\0" + bytes((kind, version)) + tx_id + payload + b"\0\0\0\0", lsn, _KINDS)


def _brief(content: dict[str, object]) -> str:
    if "from_value" in content:
        return f"{_json(content['from_value'])} → {_json(content.get('value'))}"
    shown = [
        (name, value)
        for name, value in content.items()
        if name not in _HIDDEN and value not in (None, [], {})
    ]
    return " ".join(
        f"= {_json(value)}" if name == "value" else str(value) if name in ("path", "type") else _json(value)
        for name, value in shown
    )[:120]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


# -- spans -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpanLine:
    """One span in the tree: `lead` draws its place, `length` is in microseconds, None while it goes on."""

    lead: str
    kind: str
    name: str
    start: int
    length: int | None
    failed: bool


def span_lines(nodes: Sequence[SpanNode]) -> list[SpanLine]:
    """The trees as lines, in order; of any depth."""
    lines: list[SpanLine] = []
    waiting = [(node, "", at == len(nodes) - 1, True) for at, node in reversed(list(enumerate(nodes)))]
    while waiting:
        node, lead, last, top = waiting.pop()
        span = node.span
        mark = "" if top else ("└ " if last else "├ ")
        length = None if span.end is None else span.end - span.start
        failed = span.kind == "error" or "error" in span.attrs
        lines.append(SpanLine(lead + mark, span.kind, span.name, span.start, length, failed))
        below = "" if top else lead + ("  " if last else "│ ")
        below = below if len(below) < 40 else below[-40:]
        children = node.children
        waiting += [
            (child, below, at == len(children) - 1, False)
            for at, child in reversed(list(enumerate(children)))
        ]
    return lines
