"""From looks at the two documents to what a run gets: the writes of each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from devstate.engine import EngineError, Transaction
from devstate.engine.json_diff import diff_paths
from devstate.engine.values import encode_json, encode_value

from .recording_changes import changed_pointers, common_entries, document_edits, entry_value, head_of
from .recording_looks import HistoryLook, StateLook
from .recording_masking import Masker

__all__ = ["DOCUMENT", "HistoryTrack", "StateTrack", "Write"]

DOCUMENT = "state"
"""The key of the JSON document that follows state.json."""

# Entries of one step, in number and in bytes: far below what a transaction may hold.
_STEP_ENTRIES = 1000
_STEP_BYTES = 16 << 20

Write = Callable[[Transaction, str | None], None]
"""Writes into a transaction, with spans under the given one. It may be called again after a conflict."""


class StateTrack:
    """What the run holds of state.json; `changes` and `faults` count what was told."""

    def __init__(self, masker: Masker) -> None:
        self.changes = 0
        self.faults = 0
        self._masker = masker
        self._seen: StateLook = StateLook()
        self._readable: str | None = None
        self._stored: dict[str, Any] | None = None
        self._begun = False

    def step(self, look: StateLook) -> Write | None:
        """The write for a look; None where nothing is new in it."""
        before, readable, begun = self._seen, self._readable, self._begun
        if begun and look.sha256 == before.sha256 and look.fault == before.fault:
            return None
        self._seen, self._begun = look, True
        fault = self._masker.text(look.fault) if look.fault is not None else None
        if look.document is None:
            self.faults += 1

            def unreadable(tx: Transaction, span: str | None) -> None:
                tx.kv.put("state.sha256", look.sha256)
                tx.events.append("state_unreadable", {"reason": fault})

            return unreadable
        self._readable = look.sha256
        document: dict[str, Any] = self._masker.value(look.document)
        old, refused = self._stored, _refusal(encode_json, document)
        if refused is None:
            self._stored = document
        told: dict[str, Any] | None = None
        if begun and look.sha256 != readable:
            self.changes += 1
            told = {"before": readable, "after": look.sha256, **changed_pointers(old, document)}

        def changed(tx: Transaction, span: str | None) -> None:
            tx.kv.put("state.sha256", look.sha256)
            if refused is not None:
                tx.events.append("state_not_stored", {"sha256": look.sha256, "reason": refused})
            else:
                _put(tx, old, document)
            if told is not None:
                tx.events.append("state_changed", told)
                _mark(tx, span, "state_changed", {"after": look.sha256, "paths": len(told["paths"])})

        return changed


class HistoryTrack:
    """What the run holds of history.json; the counts are of what was told."""

    def __init__(self, masker: Masker) -> None:
        self.appended = 0
        self.rewritten = 0
        self.faults = 0
        self._masker = masker
        self._seen: HistoryLook = HistoryLook()
        # The entries of the last look that had some: a time in which nothing can be read changes nothing.
        self._known: tuple[msgspec.Raw, ...] = ()
        self._begun = False

    def steps(self, look: HistoryLook) -> list[Write]:
        """The writes for a look, each for a step of its own; none where nothing is new in it."""
        before, known, begun = self._seen, self._known, self._begun
        if begun and look.sha256 == before.sha256 and look.fault == before.fault:
            return []
        self._seen = look
        if look.fault is not None:
            self.faults += 1
            self._begun = True
            reason = self._masker.text(look.fault)
            return [lambda tx, span: _unreadable_history(tx, reason)]
        self._known, self._begun = look.entries, True
        if not begun:
            return [lambda tx, span: _put_numbers(tx, look)]
        common = common_entries(known, look.entries)
        fresh = range(len(known), len(look.entries))
        self.appended += len(fresh)
        rewritten: dict[str, Any] | None = None
        if common < len(known):
            self.rewritten += 1
            rewritten = {"first": common, "before": len(known), "after": len(look.entries)}
        chunks = _chunks(look.entries, fresh)

        def first(tx: Transaction, span: str | None) -> None:
            _put_numbers(tx, look)
            if rewritten is not None:
                tx.events.append("history_rewritten", rewritten)
                _mark(tx, span, "history_rewritten", rewritten)
            self._append(tx, span, look.entries, chunks[0])

        def following(chunk: range) -> Write:
            return lambda tx, span: self._append(tx, span, look.entries, chunk)

        return [first, *(following(chunk) for chunk in chunks[1:])]

    def _append(
        self, tx: Transaction, span: str | None, entries: Sequence[msgspec.Raw], chunk: range
    ) -> None:
        for index in chunk:
            value = entry_value(entries[index], self._masker)
            told: dict[str, Any] = {"index": index, "entry": value}
            refused = _refusal(encode_value, told)
            if refused is not None:
                told = {"index": index, "not_stored": refused}
            tx.events.append("history_appended", told)
            attrs: dict[str, Any] = {"index": index}
            if isinstance(value, dict):
                fields = cast("dict[str, Any]", value)
                named = {name: fields.get(name) for name in ("actor", "action", "cp_to")}
                attrs |= {name: text[:200] for name, text in named.items() if isinstance(text, str)}
            _mark(tx, span, "history_appended", attrs)


def _put(tx: Transaction, old: dict[str, Any] | None, document: dict[str, Any]) -> None:
    if old is None:
        tx.json.set(DOCUMENT, (), document)
        return
    diff = diff_paths(old, document)
    if diff.changes:
        tx.json.patch(DOCUMENT, document_edits(old, document, diff))


def _put_numbers(tx: Transaction, look: HistoryLook) -> None:
    tx.kv.put("history.entries", len(look.entries))
    tx.kv.put("history.head", head_of(look.entries))


def _unreadable_history(tx: Transaction, reason: str) -> None:
    tx.kv.put("history.entries", None)
    tx.kv.put("history.head", None)
    tx.events.append("history_unreadable", {"reason": reason})


def _mark(tx: Transaction, parent: str | None, name: str, attrs: dict[str, Any]) -> None:
    """A span for something that was seen at one moment."""
    at = tx.now()
    tx.traces.record("custom", name, parent=parent, attrs=attrs, start=at, end=at)


def _refusal(encode: Callable[[Any], bytes], value: Any) -> str | None:
    """Why the engine does not store a value, None where it does."""
    try:
        encode(value)
    except EngineError as error:
        return str(error)
    return None


def _chunks(entries: Sequence[msgspec.Raw], fresh: range) -> list[range]:
    """The new entries in parts that are a step each; one empty part where there are none."""
    chunks: list[range] = []
    start, size = fresh.start, 0
    for index in fresh:
        length = len(bytes(entries[index]))
        if index > start and (index - start >= _STEP_ENTRIES or size + length > _STEP_BYTES):
            chunks.append(range(start, index))
            start, size = index, 0
        size += length
    return [*chunks, range(start, fresh.stop)] if len(fresh) else [range(0)]
