"""From transactions, or a snapshot, to plain dicts: an interpreter of all entry types, written from their table.

A state is `{"cv", "ts", "runs": {run id: run}}`, and a run is

    run      the fields named in RUN_FIELDS
    kv       {key: (cv, ts, value, expires or None)}                  events   [(seq, ts, type, payload, prev, hash)]
    json     {key: (ver, document)}                                   state    {name: (ver, value)}
    gone     {"json": {key: ver}, "state": {name: ver}}: the versions of what was deleted; they go on from there
    traces   {span id: {parent, kind, name, start, end, attrs, tags}} in the order of first records

Deleted runs are not in it. The dicts of two states are compared with `digest`, which tells `1` from `True`.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine_oracle import entries as kinds
from engine_oracle import snapshots
from engine_oracle.entries import read_clean, snapshot_paths
from engine_oracle.log import Reading, Transaction, read_log
from engine_oracle.packing import TOMBSTONE, Extension, pack
from engine_oracle.paths import ABSENT, PathFault, delete_at, patched, set_at

State = dict[str, Any]
ZEROS = bytes(32)
SPAN_FIELDS = ("parent", "kind", "name", "start", "end", "attrs", "tags")
RUN_FIELDS = (
    "name", "parent", "tags", "metadata", "status", "started_at", "ended_at", "reason", "tx_count", "event_count",
    "first_cv", "last_cv",
)  # fmt: skip


class Inapplicable(Exception):
    """An entry of a committed transaction that cannot be applied: a defect of its writer, or tampering. `cv` is its."""

    cv = 0


def empty_state() -> State:
    return {"cv": 0, "ts": 0, "runs": {}}


def empty_run() -> dict[str, Any]:
    return {
        "run": dict.fromkeys(RUN_FIELDS) | {"tags": [], "metadata": {}, "tx_count": 0, "event_count": 0},
        "kv": {},
        "json": {},
        "gone": {"json": {}, "state": {}},
        "events": [],
        "state": {},
        "traces": {},
    }


def event_hash(run: bytes, seq: int, ts: int, kind: str, payload: object, prev: bytes) -> bytes:
    return hashlib.sha256(pack([run, seq, ts, kind, payload, prev])).digest()


def apply(transactions: Iterable[Transaction], base: State | None = None) -> State:
    """The state after these transactions, from an empty one or (a copy of) `base`, at whose cv it goes on.

    Raises:
        Inapplicable: An entry does not fit the state that it meets.
    """
    state = copy.deepcopy(base) if base is not None else empty_state()
    for transaction in transactions:
        if transaction["cv"] <= state["cv"]:
            continue
        if transaction["cv"] != state["cv"] + 1:
            raise ValueError(f"commit {transaction['cv']} handed in after {state['cv']}")
        try:
            _apply_transaction(state, transaction)
        except Inapplicable as fault:
            fault.cv = transaction["cv"]
            raise
    return state


def _apply_transaction(state: State, transaction: Transaction) -> None:
    run_id, cv, ts = transaction["run"], transaction["cv"], transaction["ts"]
    for kind, payload in transaction["entries"]:
        where = f"cv {cv}, entry type {kind:#04x}, key {payload[1]!r}"
        if kind == kinds.RUN_CREATE:
            if run_id in state["runs"]:
                raise Inapplicable(f"{where}: the run exists")
            state["runs"][run_id] = empty_run()
        if run_id not in state["runs"]:
            raise Inapplicable(f"{where}: no such run")
        run = state["runs"][run_id]
        try:
            _HANDLERS[kind](run, payload[1], payload[4:], cv, ts, payload[0])
        except PathFault as fault:
            raise Inapplicable(f"{where}: {fault}") from fault
        except (IndexError, TypeError, ValueError, AttributeError, KeyError) as error:
            raise Inapplicable(f"{where}: malformed payload ({error})") from error
        except Inapplicable as fault:
            raise Inapplicable(f"{where}: {fault}") from fault
        if run["run"].pop("deleted", False):
            del state["runs"][run_id]
    state["cv"], state["ts"] = cv, ts
    if run_id in state["runs"]:
        facts = state["runs"][run_id]["run"]
        facts["tx_count"] += 1
        facts["first_cv"] = facts["first_cv"] or cv
        facts["last_cv"] = cv


def _kv(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    run["kv"][key] = (cv, ts, rest[0], rest[1] if len(rest) > 1 else None)


def _kv_delete(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    run["kv"].pop(key, None)


def _next_ver(run: Any, place: str, key: str, ver: int) -> None:
    """A version counts the changes of one document or cell, also across its deletion."""
    now = run[place][key][0] if key in run[place] else run["gone"][place].get(key, 0)
    if ver != now + 1:
        raise Inapplicable(f"version {ver} after {now}")


def _alive(run: Any, place: str, key: str, ver: int, value: Any) -> None:
    _next_ver(run, place, key, ver)
    run[place][key] = (ver, value)
    run["gone"][place].pop(key, None)


def _dead(run: Any, place: str, key: str, ver: int) -> None:
    _next_ver(run, place, key, ver)
    del run[place][key]
    run["gone"][place][key] = ver


def _document(run: Any, key: str) -> Any:
    return run["json"][key][1] if key in run["json"] else ABSENT


def _json_create(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    if key in run["json"]:
        raise Inapplicable("the document exists")
    _alive(run, "json", key, rest[0], rest[1])


def _json_set(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    ver, path, value = rest[:3]
    _alive(run, "json", key, ver, set_at(_document(run, key), path, value))


def _json_delete(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    ver, path = rest[:2]
    if key not in run["json"]:
        raise Inapplicable("there is no such document")
    if path:
        _alive(run, "json", key, ver, delete_at(_document(run, key), path))
    else:
        _dead(run, "json", key, ver)


def _json_patch(run: Any, key: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    _alive(run, "json", key, rest[0], patched(_document(run, key), rest[1]))


def _event(run: Any, seq: int, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    kind, payload, prev, digest = rest[:4]
    if seq != len(run["events"]):
        raise Inapplicable(f"event {seq} where there are {len(run['events'])}")
    run["events"].append((seq, ts, kind, payload, prev, digest))
    run["run"]["event_count"] += 1


def _state_init(run: Any, name: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    if name in run["state"]:
        raise Inapplicable("the cell exists")
    _alive(run, "state", name, rest[0], rest[1])


def _state_set(run: Any, name: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    ver, value, operation = rest[:3]
    if operation == 2:
        _dead(run, "state", name, ver)
    elif operation in (0, 1):
        _alive(run, "state", name, ver, value)
    else:
        raise Inapplicable(f"operation {operation!r}")


def _state_transition(run: Any, name: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    ver, from_ver, _, value = rest[:4]
    if name not in run["state"] or run["state"][name][0] != from_ver:
        raise Inapplicable(f"the cell is not at version {from_ver}")
    _alive(run, "state", name, ver, value)


def _trace(run: Any, span: str, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    run["traces"][span] = dict(
        zip(SPAN_FIELDS, rest[:7], strict=True)
    )  # a dict keeps the place of a known key


def _run_create(run: Any, key: None, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    for name, value in zip(("name", "parent", "tags", "metadata"), rest[:4], strict=True):
        run["run"][name] = value


def _run_begin(run: Any, key: None, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    run["run"].update(status="active", started_at=ts)


def _run_update(run: Any, key: None, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    run["run"].update(rest[0])


def _run_end(run: Any, key: None, rest: list[Any], cv: int, ts: int, run_id: bytes) -> None:
    status, reason, event_count, _ = rest[:4]
    if event_count != len(run["events"]):
        raise Inapplicable(f"the end counts {event_count} events, there are {len(run['events'])}")
    run["run"].update(status=status, reason=reason, ended_at=ts)


_HANDLERS = {
    kinds.KV_PUT: _kv, kinds.KV_DELETE: _kv_delete, kinds.JSON_CREATE: _json_create, kinds.JSON_SET: _json_set,
    kinds.JSON_DELETE: _json_delete, kinds.JSON_PATCH: _json_patch, kinds.EVENT_APPEND: _event,
    kinds.STATE_INIT: _state_init, kinds.STATE_SET: _state_set, kinds.STATE_TRANSITION: _state_transition,
    kinds.TRACE_RECORD: _trace, kinds.RUN_CREATE: _run_create, kinds.RUN_BEGIN: _run_begin,
    kinds.RUN_UPDATE: _run_update, kinds.RUN_END: _run_end,
}  # fmt: skip


def chain_faults(state: State) -> list[tuple[bytes, int]]:
    """For each run whose event hashes do not hold, the run and the first bad seq."""
    faults: list[tuple[bytes, int]] = []
    for run_id, run in state["runs"].items():
        before = ZEROS
        for index, (seq, ts, kind, payload, prev, digest) in enumerate(run["events"]):
            good = event_hash(run_id, seq, ts, kind, payload, prev)
            if seq != index or prev != before or digest != good:
                faults.append((run_id, index))
                break
            before = digest
    return faults


def from_snapshot(snapshot: Mapping[str, Any]) -> State:
    """The state that a snapshot (as `parse_snapshot` gives it) holds."""
    state: State = {"cv": snapshot["meta"]["cv"], "ts": snapshot["timestamp"], "runs": {}}
    sections = snapshot["sections"]
    for record in sections.get(snapshots.RUN, ()):
        if isinstance(record["fields"], Extension) or record["fields"].get("deleted"):
            continue
        run = state["runs"][record["run"]] = empty_run()
        run["run"].update({name: record["fields"][name] for name in RUN_FIELDS if name in record["fields"]})
    for record in sections.get(snapshots.KV, ()):
        if record["value"] != TOMBSTONE:
            held = (record["cv"], record["ts"], record["value"], record["expires"])
            state["runs"][record["run"]]["kv"][record["key"]] = held
    for kind, place, name in ((snapshots.JSON, "json", "key"), (snapshots.STATE, "state", "name")):
        for record in sections.get(kind, ()):
            run = state["runs"][record["run"]]
            if record["value"] == TOMBSTONE:
                run["gone"][place][record[name]] = record["ver"]
            else:
                run[place][record[name]] = (record["ver"], record["value"])
    for record in sections.get(snapshots.EVENT, ()):
        names = ("seq", "ts", "type", "payload", "prev", "hash")
        run = state["runs"][record["run"]]
        run["events"].append(tuple(record[name] for name in names))
        run["run"]["event_count"] = len(run["events"])  # whether or not the record of the run says it
    for record in sorted(sections.get(snapshots.TRACE, ()), key=lambda record: record["order"]):
        span = {name: record[name] for name in SPAN_FIELDS}
        state["runs"][record["run"]]["traces"][record["id"]] = span
    return state


def state_of(folder: str | os.PathLike[str], *, use_snapshot: bool = True) -> tuple[State, Reading]:
    """The state of a database from its newest whole snapshot and the log after it; or from the log alone.

    A transaction that cannot be applied is the end, as lost data is: the state is that before it, the verdict "lost".
    """
    base = empty_state()
    start = 0
    for path in snapshot_paths(folder) if use_snapshot else ():
        try:
            snapshot = snapshots.read_snapshot(path)
        except snapshots.UnsupportedSnapshot:
            raise
        except snapshots.SnapshotError:
            continue
        base, start = from_snapshot(snapshot), snapshot["wal_offset"]
        break
    reading = read_log(folder, start=start, last_cv=base["cv"], clean=read_clean(folder))
    try:
        return apply(reading.transactions, base), reading
    except Inapplicable as fault:
        kept = [transaction for transaction in reading.transactions if transaction["cv"] < fault.cv]
        cut_off = reading.transactions[len(kept) :]
        lost = [{name: transaction[name] for name in ("cv", "lsn", "run")} for transaction in cut_off]
        reading = reading._replace(
            transactions=kept,
            verdict="lost",
            position=cut_off[0]["lsn"],
            end=cut_off[0]["lsn"],
            commit_end=cut_off[0]["lsn"],
            lost=[*lost, *reading.lost],
            last_cv=fault.cv - 1,
        )
        return apply(kept, base), reading


def run_history(transactions: Sequence[Transaction], run_id: bytes) -> list[Any]:
    """What the run was after each of its transactions (None once it is deleted), from these transactions alone."""
    steps: list[Any] = []
    state = empty_state()
    for transaction in transactions:
        if transaction["run"] == run_id:
            _apply_transaction(state, transaction)
            steps.append(copy.deepcopy(state["runs"].get(run_id)))
    return steps


def digest(value: object) -> str:
    """SHA-256 over a state or a part of it. The order of runs, keys and names is nothing; that inside values counts."""
    return hashlib.sha256(pack(_ordered(value))).hexdigest()


def _ordered(value: Any) -> Any:
    if isinstance(value, dict) and "runs" in value:
        runs = sorted(value["runs"].items())
        return [value["cv"], value["ts"], [[run_id, _ordered(run)] for run_id, run in runs]]
    if isinstance(value, dict) and "kv" in value:
        parts = [sorted(value["run"].items(), key=lambda item: item[0])]
        parts += [sorted(value[name].items(), key=lambda item: item[0]) for name in ("kv", "json", "state")]
        parts += [sorted(value["gone"][place].items()) for place in ("json", "state")]
        return [*parts, value["events"], list(value["traces"].items())]
    return value
