"""Transactions of the reference model that are open at the same time: what each sees, and which of them conflict.

    one = OpenTransaction(model, RUN)
    other = OpenTransaction(model, RUN)
    one.do("kv.put", "n", one.do("kv.get", "n", 0, now=1) + 1, now=1)
    ...
    one.commit(now=2)
    other.commit(now=3)      # ModelError "ConflictError" where it rests on what the first changed

Each sees the state at its start and its own writes. At its commit, what it wrote is done again on the latest state,
after these checks against all commits since its start, to the same run:

* read-write   a key that it read (and had not written itself) was written or deleted
* json         a path that it read or wrote is equal to, above or below one that was written in the same document;
               a set that makes a document writes all of it: its absence could be read at any path
* cas          the version that it expected is not the one that is there now
* run state    the run no longer takes writes

Writes of the same key without a read of it, appended events and traces do not conflict. Listing keys reads none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from engine_oracle.model import Model, Operation, Work, op
from engine_oracle.model_data import ModelError

Path = tuple[str | int, ...]

# The operations that read one key, and whose outcome therefore rests on it.
READS = {
    "kv.get": "kv",
    "kv.get_entry": "kv",
    "kv.exists": "kv",
    "state.read": "state",
    "state.exists": "state",
    "state.init": "state",
    "state.transition": "state",
}
WRITTEN_KINDS = {0x10: "kv", 0x11: "kv", 0x40: "state", 0x41: "state", 0x42: "state"}


class OpenTransaction:
    def __init__(self, model: Model, run: bytes) -> None:
        self.model = model
        self.run = run
        self.start = model.cv
        self.work = Work(model, run, 0)
        self.operations: list[Operation] = []
        self.read: set[tuple[str, str]] = set()
        self.expected: list[tuple[str, str]] = []  # of cas: place and key
        self.json_paths: set[tuple[str, Path]] = set()

    def do(self, name: str, /, *arguments: Any, now: int, **options: Any) -> Any:
        """One operation; an error leaves the transaction as it was before, as far as its own state goes."""
        self.work.now = now
        entries = len(self.work.entries)
        documents = set(self.work.data["json"])
        result = self.work.perform(Operation(name, arguments, options))
        if len(self.work.entries) > entries:
            self.operations.append(op(name, *arguments, **options))
        self._note(name, arguments, self.work.entries[:entries], documents)
        return result

    def _note(
        self, name: str, arguments: Sequence[Any], own: Sequence[tuple[Any, ...]], documents: set[str]
    ) -> None:
        written = {(WRITTEN_KINDS[entry[0]], entry[1]) for entry in own if entry[0] in WRITTEN_KINDS}
        if name == "kv.get_many":
            self.read |= {("kv", key) for key in arguments[0]} - written
        elif name in READS:
            self.read |= {(READS[name], arguments[0])} - written
        elif name in ("state.cas", "json.cas") and (name.split(".")[0], arguments[0]) not in written:
            self.expected.append((name.split(".")[0], arguments[0]))
        if name.startswith("json.") and name != "json.keys":
            made = name in ("json.set", "json.cas") and arguments[0] not in documents
            self.json_paths |= {(arguments[0], path) for path in ([()] if made else _paths(name, arguments))}

    def commit(self, *, now: int) -> int | None:
        """The number of the commit; None where nothing was written.

        Raises:
            ModelError: "ConflictError" with its `kind`, "RunNotActive" or "RunNotFound"; nothing is changed.
        """
        if not self.operations:
            return None
        since = [
            (entry, self._document_before(commit, entry[1]))
            for commit, step in enumerate(self.model.log[self.start :], self.start)
            if step["run"] == self.run
            for entry in step["entries"]
        ]
        changed = {(WRITTEN_KINDS[entry[0]], entry[1]) for entry, _ in since if entry[0] in WRITTEN_KINDS}
        for place, key in sorted(self.read & changed):
            raise ModelError("ConflictError", f"{place} {key!r} was read and has changed", kind="read-write")
        for entry, existed in since:
            for path in _written_paths(entry, existed):
                for key, own in self.json_paths:
                    if key == entry[1] and _overlap(own, path):
                        raise ModelError("ConflictError", f"{key!r} at {own} and {path}", kind="json")
        before = self.model.states[self.start]["runs"].get(self.run)
        latest = self.model.runs.get(self.run)
        for place, key in self.expected:
            if (
                before is not None
                and latest is not None
                and _ver(before, place, key) != _ver(latest, place, key)
            ):
                raise ModelError("ConflictError", f"{place} {key!r} has another version", kind="cas")
        self.model.transact(self.run, self.operations, now=now)
        return self.model.cv

    def _document_before(self, cv: int, key: Any) -> bool:
        run = self.model.states[cv]["runs"].get(self.run)
        return run is not None and key in run["json"]


def _ver(run: Any, place: str, key: str) -> int:
    return run[place][key][0] if key in run[place] else run["gone"][place].get(key, 0)


def _overlap(one: Path, other: Path) -> bool:
    least = min(len(one), len(other))
    return one[:least] == other[:least]


def _paths(name: str, arguments: Sequence[Any]) -> Iterable[Path]:
    """The paths of a document that an operation reads or writes."""
    if name in ("json.create", "json.exists", "json.version"):
        return [()]
    if name == "json.patch":
        return [_of_change(operation[0] == 1, operation[1]) for operation in arguments[1]]
    path = arguments[1] if len(arguments) > 1 else ()
    return [_of_change(name == "json.delete", path)]


def _written_paths(entry: Sequence[Any], existed: bool) -> Iterable[Path]:
    """The paths that a log entry (type, key, *rest) writes; `existed` says whether the document was there before."""
    readers: dict[int, Callable[[], Iterable[Path]]] = {
        0x20: lambda: [()],
        0x21: lambda: [_of_change(False, entry[3]) if existed else ()],
        0x22: lambda: [_of_change(True, entry[3])],
        0x23: lambda: [_of_change(operation[0] == 1, operation[1]) for operation in entry[3]],
    }
    return readers[entry[0]]() if entry[0] in readers else ()


def _of_change(deleted: bool, path: Sequence[str | int]) -> Path:
    """A deleted element of an array moves those behind it: that is a change of the array."""
    return tuple(path[:-1]) if deleted and path and isinstance(path[-1], int) else tuple(path)
