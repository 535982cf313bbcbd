"""The data operations of the reference model: key-value, documents, events, state cells and traces of one run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine_oracle.interpret import ZEROS, event_hash
from engine_oracle.packing import pack
from engine_oracle.paths import ABSENT, PathFault, delete_at, get_at, patched, set_at

Path = Sequence[str | int]
MOST_BYTES = 16 * 1024 * 1024


class ModelError(Exception):
    """`name` is the name that the error has for a user."""

    def __init__(self, name: str, text: str = "", **fields: Any) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.fields = fields


def checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ModelError("ValueTypeError", "a key is a string")
    if not 1 <= len(key.encode()) <= 1024 or "\0" in key:
        raise ModelError("LimitExceeded", "a key has 1 to 1024 bytes and no NUL")
    return key


def checked(value: Any, *, document: bool = False) -> Any:
    """A copy of a value that may be stored (`document`: in a JSON document)."""
    _check(value, 100 if document else 128, document)
    if len(pack(value)) > MOST_BYTES:
        raise ModelError("LimitExceeded", "more than 16 MiB")
    return copy.deepcopy(value)


def _check(value: Any, levels: int, document: bool) -> None:
    if levels < 0:
        raise ModelError("LimitExceeded", "nested too deeply")
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ModelError("ValueRangeError", str(value))
    elif isinstance(value, float):
        if document and not math.isfinite(value):
            raise ModelError("ValueTypeError", "a document holds finite numbers")
    elif isinstance(value, list):
        if document and len(value) > 1_000_000:
            raise ModelError("LimitExceeded", "an array of a document has at most a million elements")
        for item in value:
            _check(item, levels - 1, document)
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        for item in value.values():
            _check(item, levels - 1, document)
    elif not isinstance(value, bytes) or document:
        raise ModelError("ValueTypeError", type(value).__name__)


class DataWork:
    """One run in one transaction: `data` is its working copy, `entries` what a log says of the changes.

    Methods are named `<primitive>_<operation>`. Each that changes something calls `writable` before all else,
    and `entry` for each change.
    """

    data: dict[str, Any]
    set_creates_documents = True

    def __init__(self, run_id: bytes, cv: int, ts: int, now: int) -> None:
        self.run_id = run_id
        self.cv = cv
        self.ts = ts  # the time of the commit: of everything that the transaction writes
        self.now = now  # the clock of the reader: for expiry
        self.entries: list[tuple[Any, ...]] = []

    def writable(self) -> None:
        raise NotImplementedError

    def entry(self, kind: int, key: Any, *rest: Any) -> None:
        self.entries.append((kind, key, *rest))

    # ---- key-value

    def _live(self, key: str) -> Any:
        """The record (cv, ts, value, expires), or None; one that expired is as if it were not there."""
        record = self.data["kv"].get(checked_key(key))
        return None if record is None or (record[3] is not None and record[3] <= self.now) else record

    def kv_get(self, key: str, default: Any = None) -> Any:
        record = self._live(key)
        return default if record is None else record[2]

    def kv_get_entry(self, key: str) -> Any:
        return self._live(key)

    def kv_get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return {key: self._live(key)[2] for key in keys if self._live(key) is not None}

    def kv_exists(self, key: str) -> bool:
        return self._live(key) is not None

    def kv_put(self, key: str, value: Any, ttl: int | None = None) -> None:
        """`ttl` in microseconds from the time of the commit."""
        self.writable()
        key, value = checked_key(key), checked(value)
        expires = None if ttl is None else self.ts + ttl
        self.data["kv"][key] = (self.cv, self.ts, value, expires)
        self.entry(0x10, key, value, *([] if expires is None else [expires]))

    def kv_delete(self, key: str) -> bool:
        self.writable()
        if self._live(key) is None:
            return False
        del self.data["kv"][key]
        self.entry(0x11, key)
        return True

    def kv_keys(self, prefix: str = "") -> list[str]:
        found = [key for key in self.data["kv"] if key.startswith(prefix) and self._live(key) is not None]
        return sorted(found, key=str.encode)

    def kv_items(self, prefix: str = "") -> list[tuple[str, Any]]:
        return [(key, self.data["kv"][key][2]) for key in self.kv_keys(prefix)]

    def kv_count(self, prefix: str = "") -> int:
        return len(self.kv_keys(prefix))

    # ---- what documents and cells have in common

    def _ver(self, place: str, key: str) -> int:
        """The version of what is there; 0 where nothing is, also after a deletion."""
        return self.data[place][key][0] if key in self.data[place] else 0

    def _keep(self, place: str, key: str, value: Any) -> int:
        """The next version, which goes on where a deleted one stopped."""
        ver = (self._ver(place, key) or self.data["gone"][place].pop(key, 0)) + 1
        self.data[place][key] = (ver, value)
        return ver

    def _drop(self, place: str, key: str) -> int:
        ver = self.data[place].pop(key)[0] + 1
        self.data["gone"][place][key] = ver
        return ver

    def _expect(self, place: str, key: str, expected: int) -> None:
        found = self._ver(place, key)
        if found != expected:
            raise ModelError("CasMismatch", key, expected=expected, found=found)

    # ---- documents

    def _document(self, key: str) -> Any:
        return self.data["json"][key][1] if checked_key(key) in self.data["json"] else ABSENT

    def json_create(self, key: str, value: Any) -> int:
        self.writable()
        value = checked(value, document=True)
        if self._document(key) is not ABSENT:
            raise ModelError("AlreadyExists", key)
        ver = self._keep("json", key, value)
        self.entry(0x20, key, ver, value)
        return ver

    def json_set(self, key: str, path: Path, value: Any) -> int:
        self.writable()
        value = checked(value, document=True)
        if path and self._document(key) is ABSENT and not self.set_creates_documents:
            raise ModelError("NotFound", key)
        ver = self._keep("json", key, self._changed(set_at, self._document(key), list(path), value))
        self.entry(0x21, key, ver, list(path), value)
        return ver

    def json_cas(self, key: str, path: Path, expected_ver: int, value: Any) -> int:
        self.writable()
        self._document(key)
        self._expect("json", key, expected_ver)
        return self.json_set(key, path, value)

    def json_delete(self, key: str, path: Path = ()) -> bool:
        """False, and nothing is written, where there is nothing to delete."""
        self.writable()
        document = self._document(key)
        if document is ABSENT or get_at(document, path) is ABSENT:
            return False
        if path:
            ver = self._keep("json", key, self._changed(delete_at, document, list(path)))
        else:
            ver = self._drop("json", key)
        self.entry(0x22, key, ver, list(path))
        return True

    def json_patch(self, key: str, operations: Sequence[Sequence[Any]]) -> int:
        """Operations are `[0, path, value]` (set) and `[1, path]` (delete): all of them, or an error."""
        self.writable()
        for operation in operations:
            checked(operation[2] if operation[0] == 0 else None, document=True)
        if self._document(key) is ABSENT:
            raise ModelError("NotFound", key)
        ver = self._keep("json", key, self._changed(patched, self._document(key), operations))
        self.entry(0x23, key, ver, copy.deepcopy(list(operations)))
        return ver

    def _changed(self, change: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return checked(change(*arguments), document=True)
        except PathFault as fault:
            raise ModelError(fault.name, str(fault)) from fault

    def json_get(self, key: str, path: Path = (), default: Any = None) -> Any:
        document = self._document(key)
        found = ABSENT if document is ABSENT else get_at(document, path)
        return default if found is ABSENT else found

    def json_exists(self, key: str) -> bool:
        return self._document(key) is not ABSENT

    def json_version(self, key: str) -> int:
        return self._ver("json", checked_key(key))

    def json_keys(self, prefix: str = "") -> list[str]:
        return sorted((key for key in self.data["json"] if key.startswith(prefix)), key=str.encode)

    # ---- events

    def events_append(self, kind: str, payload: Any) -> tuple[int, bytes]:
        self.writable()
        if not isinstance(kind, str):
            raise ModelError("ValueTypeError", "the type of an event is a string")
        if not 1 <= len(kind.encode()) <= 256:
            raise ModelError("LimitExceeded", "the type of an event has 1 to 256 bytes")
        payload = checked(payload)
        events = self.data["events"]
        seq, prev = len(events), events[-1][5] if events else ZEROS
        digest = event_hash(self.run_id, seq, self.ts, kind, payload, prev)
        events.append((seq, self.ts, kind, payload, prev, digest))
        self.data["run"]["event_count"] += 1
        self.entry(0x30, seq, kind, payload, prev, digest)
        return seq, digest

    def events_read(self, seq: int) -> Any:
        if not 0 <= seq < len(self.data["events"]):
            raise ModelError("NotFound", str(seq))
        return self.data["events"][seq]

    def events_range(self, start: int = 0, end: int | None = None) -> list[Any]:
        """Those with start <= seq < end."""
        return [
            event for event in self.data["events"] if start <= event[0] and (end is None or event[0] < end)
        ]

    def events_by_type(self, kind: str) -> list[Any]:
        return [event for event in self.data["events"] if event[2] == kind]

    def events_len(self) -> int:
        return len(self.data["events"])

    # ---- state cells

    def state_init(self, name: str, value: Any) -> int:
        self.writable()
        value = checked(value)
        if checked_key(name) in self.data["state"]:
            raise ModelError("AlreadyExists", name)
        ver = self._keep("state", name, value)
        self.entry(0x40, name, ver, value)
        return ver

    def state_read(self, name: str) -> tuple[Any, int] | None:
        """(value, ver), or None."""
        held = self.data["state"].get(checked_key(name))
        return None if held is None else (held[1], held[0])

    def state_set(self, name: str, value: Any) -> int:
        return self._write_cell(name, value, 0)

    def state_cas(self, name: str, expected_ver: int, value: Any) -> int:
        self.writable()
        self._expect("state", checked_key(name), expected_ver)
        return self._write_cell(name, value, 1)

    def _write_cell(self, name: str, value: Any, operation: int) -> int:
        self.writable()
        ver = self._keep("state", checked_key(name), checked(value))
        self.entry(0x41, name, ver, copy.deepcopy(value), operation)
        return ver

    def state_transition(self, name: str, function: Callable[[Any], Any]) -> tuple[Any, int]:
        """The function gets the value and gives the next one."""
        self.writable()
        if checked_key(name) not in self.data["state"]:
            raise ModelError("NotFound", name)
        from_ver, before = self.data["state"][name]
        value = checked(function(copy.deepcopy(before)))
        ver = self._keep("state", name, value)
        self.entry(0x42, name, ver, from_ver, before, value, None)
        return value, ver

    def state_delete(self, name: str) -> bool:
        self.writable()
        if checked_key(name) not in self.data["state"]:
            return False
        self.entry(0x41, name, self._drop("state", name), None, 2)
        return True

    def state_exists(self, name: str) -> bool:
        return checked_key(name) in self.data["state"]

    def state_names(self) -> list[str]:
        return sorted(self.data["state"], key=str.encode)

    # ---- traces

    def traces_record(
        self,
        span_id: str,
        kind: str,
        name: str,
        *,
        parent: str | None = None,
        attrs: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
        start: int | None = None,
        end: int | None = None,
    ) -> str:
        """A second record of a span replaces the first, and has its place in the order."""
        self.writable()
        span = {"parent": parent, "kind": kind, "name": name, "start": start, "end": end}
        span |= {"attrs": checked(attrs or {}), "tags": list(tags)}
        self.data["traces"][checked_key(span_id)] = span
        self.entry(0x50, span_id, *span.values())
        return span_id

    def traces_get(self, span_id: str) -> Any:
        return self.data["traces"].get(span_id)

    def traces_children(self, span_id: str | None) -> list[str]:
        """The spans with that parent, in order; None gives the roots."""
        return [key for key, span in self.data["traces"].items() if span["parent"] == span_id]

    def traces_by_kind(self, kind: str) -> list[str]:
        return [key for key, span in self.data["traces"].items() if span["kind"] == kind]

    def traces_by_tag(self, tag: str) -> list[str]:
        return [key for key, span in self.data["traces"].items() if tag in span["tags"]]

    def traces_count(self) -> int:
        return len(self.data["traces"])
