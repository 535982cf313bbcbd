"""The reference model: what the operations mean, on plain dicts, with every clock and every id handed in.

    model = Model()
    model.do(RUN, "run.begin", name="solve", now=10)
    model.do(RUN, "kv.put", "a", 1, now=11)
    model.transact(RUN, [op("kv.put", "b", 2), op("events.append", "tick", {})], now=12)

`states[cv]` is the whole state after commit `cv` (as of `engine_oracle.interpret`), `run_steps(run)` what a
run was after each of its own transactions, and `log` the transactions as `engine_oracle.writer` writes them.
States are never changed once they are there: a transaction works on a copy, and takes its place if all its
operations succeed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from engine_oracle.interpret import State, empty_run, empty_state
from engine_oracle.model_data import DataWork, ModelError
from engine_oracle.packing import same

FINISHED = ("completed", "failed", "cancelled")
CHANGES = {
    "active": ("paused", *FINISHED, "archived"),
    "paused": ("active", "cancelled", "archived"),
    "orphaned": ("active", *FINISHED),
    "completed": ("archived",),
    "failed": ("archived",),
    "cancelled": ("archived",),
    "archived": (),
}


class Operation(NamedTuple):
    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


def op(name: str, /, *arguments: Any, **options: Any) -> Operation:
    return Operation(name, arguments, options)


class Model:
    def __init__(self, *, set_creates_documents: bool = True) -> None:
        """`set_creates_documents`: `json.set` below the root of a document that is not there creates it."""
        self.set_creates_documents = set_creates_documents
        self.states: list[State] = [empty_state()]
        self.log: list[dict[str, Any]] = []
        self.orphans: set[bytes] = set()  # runs that were active when their process went
        self.steps: dict[bytes, list[Any]] = {}

    @property
    def cv(self) -> int:
        return self.states[-1]["cv"]

    @property
    def runs(self) -> dict[bytes, Any]:
        return self.states[-1]["runs"]

    def do(self, run: bytes, name: str, /, *arguments: Any, now: int, **options: Any) -> Any:
        """One operation as a transaction of its own; gives what the operation gives."""
        return self.transact(run, [op(name, *arguments, **options)], now=now)[0]

    def transact(self, run: bytes, operations: Iterable[Operation], *, now: int) -> list[Any]:
        """All operations or none; gives what each gives. One that writes nothing takes no commit number.

        Raises:
            ModelError: The first operation that fails, by the name of its error; nothing is changed.
        """
        work = Work(self, run, now)
        results = [work.perform(operation) for operation in operations]
        if work.entries:
            self._commit(work)
        return results

    def _commit(self, work: Work) -> None:
        runs = dict(self.runs)
        if work.deleted:
            del runs[work.run_id]
        else:
            facts = work.data["run"]
            facts["tx_count"] += 1
            facts["first_cv"] = facts["first_cv"] or work.cv
            facts["last_cv"] = work.cv
            runs[work.run_id] = work.data
        if work.taken_up or work.deleted:
            self.orphans.discard(work.run_id)
        self.states.append({"cv": work.cv, "ts": work.ts, "runs": runs})
        self.steps.setdefault(work.run_id, []).append(runs.get(work.run_id))
        self.log.append({"run": work.run_id, "ts": work.ts, "entries": work.entries})

    def run_steps(self, run: bytes) -> list[Any]:
        """What the run was after each of its transactions; None where it was deleted."""
        return list(self.steps.get(run, ()))

    def status(self, run: bytes) -> str:
        if run not in self.runs:
            return "not_found"
        return "orphaned" if run in self.orphans else self.runs[run]["run"]["status"]

    def list_runs(
        self, status: str | None = None, tag: str | None = None, parent: bytes | None = None
    ) -> list[bytes]:
        return sorted(
            run
            for run, data in self.runs.items()
            if status in (None, self.status(run))
            and (tag is None or tag in data["run"]["tags"])
            and parent in (None, data["run"]["parent"])
        )

    def process_gone(self) -> None:
        """The process that held the runs went away: the active ones are shown as orphaned. Nothing is written."""
        self.orphans |= {run for run, data in self.runs.items() if data["run"]["status"] == "active"}

    def cut(self, cv: int) -> None:
        """Forget all after a commit, as a crash does that loses a suffix."""
        runs_after = [transaction["run"] for transaction in self.log[cv:]]
        del self.states[cv + 1 :], self.log[cv:]
        for run in runs_after:
            self.steps[run].pop()
        self.orphans &= self.runs.keys()


class Work(DataWork):
    """A run under change in one transaction: the data operations, and those of the run itself."""

    def __init__(self, model: Model, run_id: bytes, now: int) -> None:
        before = model.states[-1]
        super().__init__(run_id, before["cv"] + 1, max(now, before["ts"]), now)
        self.model = model
        self.set_creates_documents = model.set_creates_documents
        self.deleted = False
        self.taken_up = False
        self.exists = run_id in model.runs
        old = model.runs[run_id] if self.exists else empty_run()
        # Values are never changed in place, so only the containers are copied.
        self.data = {name: copy.copy(part) for name, part in old.items()}
        self.data["gone"] = {name: dict(part) for name, part in old["gone"].items()}

    def perform(self, operation: Operation) -> Any:
        if (not self.exists or self.deleted) and operation.name != "run.begin":
            raise ModelError("RunNotFound", self.run_id.hex())
        method: Callable[..., Any] = getattr(self, operation.name.replace(".", "_"))
        return copy.deepcopy(method(*operation.arguments, **operation.options))

    @property
    def status(self) -> str:
        orphaned = self.run_id in self.model.orphans and not self.taken_up
        return "orphaned" if orphaned else self.data["run"]["status"]

    def writable(self) -> None:
        if self.status != "active":
            raise ModelError("RunNotActive", self.status)

    def _turn(self, status: str) -> None:
        if status not in CHANGES[self.status]:
            raise ModelError("RunNotActive", f"{self.status} cannot become {status}")
        self.taken_up = True
        self.data["run"]["status"] = status

    def _update(self, **changes: Any) -> None:
        self.data["run"].update(changes)
        self.entry(0x61, None, dict(changes))

    def run_begin(
        self,
        name: str | None = None,
        parent: bytes | None = None,
        tags: Iterable[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if self.exists:
            raise ModelError("RunExists", self.run_id.hex())
        self.exists = True
        facts = {"name": name, "parent": parent, "tags": list(tags), "metadata": dict(metadata or {})}
        self.data["run"].update(facts, status="active", started_at=self.ts)
        self.entry(0x60, None, *facts.values())
        self.entry(0x63, None)

    def run_end(self, status: str = "completed", reason: str | None = None) -> None:
        if status not in FINISHED:
            raise ModelError("ValueTypeError", status)
        self._turn(status)
        self.data["run"].update(ended_at=self.ts, reason=reason)
        counts = self.data["run"]
        self.entry(0x62, None, status, reason, counts["event_count"], counts["tx_count"] + 1)

    def run_abort(self, reason: str | None = None) -> None:
        self.run_end("failed", reason)

    def run_pause(self) -> None:
        self._turn("paused")
        self._update(status="paused")

    def run_resume(self) -> None:
        self._turn("active")
        self._update(status="active")

    def run_archive(self) -> None:
        self._turn("archived")
        self._update(status="archived")

    def run_delete(self, force: bool = False) -> None:
        if self.status == "active" and not force:
            raise ModelError("RunActive", "deletion of an active run needs force")
        self.deleted = True
        self.entry(0x61, None, {"deleted": True})

    def run_set_metadata(self, metadata: dict[str, Any]) -> None:
        self._changeable()
        self._update(metadata={**self.data["run"]["metadata"], **metadata})

    def run_add_tags(self, tags: Iterable[str]) -> None:
        self._changeable()
        known = self.data["run"]["tags"]
        self._update(tags=[*known, *(tag for tag in dict.fromkeys(tags) if tag not in known)])

    def _changeable(self) -> None:
        if self.status == "archived":
            raise ModelError("RunNotActive", "archived")


def diff(a: Any, b: Any) -> list[tuple[str, str, Any, Any, Any]]:
    """What differs between two runs, in order: (primitive, "added" | "removed" | "modified", key, in a, in b).

    Values alone are compared, by typed deep equality: no commit numbers, versions, times or expiries. Events
    are compared by type and payload; from the first pair on that differs, those of `a` are removed and those
    of `b` added.
    """
    found: list[tuple[str, str, Any, Any, Any]] = []
    for primitive, place in (("kv", 2), ("json", 1)):
        found += _diff_values(primitive, a[primitive], b[primitive], place)
    kept = 0
    for one, other in zip(a["events"], b["events"], strict=False):
        if not same(one[2:4], other[2:4]):
            break
        kept += 1
    found += [("events", "removed", event[0], list(event[2:4]), None) for event in a["events"][kept:]]
    found += [("events", "added", event[0], None, list(event[2:4])) for event in b["events"][kept:]]
    found += _diff_values("state", a["state"], b["state"], 1)
    return found


def _diff_values(primitive: str, a: Any, b: Any, place: int) -> Iterable[tuple[str, str, Any, Any, Any]]:
    for key in sorted({*a, *b}, key=str.encode):
        if key not in a:
            yield primitive, "added", key, None, b[key][place]
        elif key not in b:
            yield primitive, "removed", key, a[key][place], None
        elif not same(a[key][place], b[key][place]):
            yield primitive, "modified", key, a[key][place], b[key][place]
