"""How callers reach the primitives of a run: bound to the run, or with the run as first argument."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .ids import RunId, RunLike, run_bytes

if TYPE_CHECKING:
    from typing import Self

    from .database import Database
    from .primitives.cells import State
    from .primitives.events import Events
    from .primitives.json_documents import Json
    from .primitives.kv import Kv
    from .primitives.traces import Traces
    from .search import SearchResponse
    from .transactions import Transaction

__all__ = ["ByRun", "RunHandle"]

_CACHED_RUNS = 4096


class RunHandle:
    """One run of an open database; as a context manager it ends the run: completed, or failed by an exception.

    `kv`, `json`, `events`, `state`, `traces` read the newest and commit each write at once;
    `transaction()` groups them.
    """

    def __init__(self, database: Database, run: bytes) -> None:
        self._database = database
        self._raw = run
        self.id = RunId.of(run)
        context = database.context(run)
        named = database.primitives.named
        self.kv: Kv = named("kv").handle(context)
        self.json: Json = named("json").handle(context)
        self.events: Events = named("events").handle(context)
        self.state: State = named("state").handle(context)
        self.traces: Traces = named("traces").handle(context)
        self._context = context

    def ext(self, name: str) -> Any:
        """The handle of a registered kind of records. Raises RegistrationError."""
        return self._database.primitives.named(name).handle(self._context)

    def transaction(self, *, serializable: bool = False, durability: str | None = None) -> Transaction:
        """Begin a transaction of this run (`Database.transaction`)."""
        return self._database.transaction(self.id, serializable=serializable, durability=durability)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._database.end_run(self.id)
        else:
            self._database.abort_run(self.id, f"{kind.__name__}: {error}" if str(error) else kind.__name__)

    def __repr__(self) -> str:
        return f"<run {self.id}>"


class ByRun:
    """The operations of one kind of records with the run as their first argument: `db.kv.put(run, key, value)`."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._handles: dict[object, Any] = {}

    def of(self, run: RunLike) -> Any:
        """The handle bound to a run."""
        handle = self._handles.get(run)
        if handle is None:
            if len(self._handles) >= _CACHED_RUNS:
                self._handles.clear()
            primitive = self._database.primitives.named(self._name)
            handle = self._handles[run] = primitive.handle(self._database.context(run_bytes(run)))
        return handle

    def search(self, run: RunLike | None, query: str, **options: Any) -> SearchResponse:
        """`Database.search` among the records of this kind."""
        return self._database.search(run, query, primitives=[self._name], **options)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        handles, of = self._handles, self.of

        def call(run: RunLike, *args: Any, **kwargs: Any) -> Any:
            handle = handles.get(run)
            if handle is None:
                handle = of(run)
            return getattr(handle, operation)(*args, **kwargs)

        self.__dict__[operation] = call
        return call
