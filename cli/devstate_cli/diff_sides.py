"""What `devstate diff` compares: a run at a step, the runs of a snapshot, or a JSON document."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from devstate.errors import DevStateError, InputMissing, InputUnreadable, LimitExceeded, UsageError

from .databases import chosen_run, place_of, reading
from .invocation import Invocation

if TYPE_CHECKING:
    from types import TracebackType

    from devstate.engine import Database
    from devstate.engine.point_in_time import DatabaseView
    from devstate.engine.view import ReadOnlyView

__all__ = ["DocumentSide", "RunSide", "Side", "Sides", "SnapshotSide"]

FORMS = "A and B are run:ID, run:ID@STEP, snapshot:FILE, snapshot:FILE#RUN, entry:N, git:REF or a JSON file."
_STATE = ".trae/state.json"
_DEPTH = 1000


@dataclass(frozen=True)
class RunSide:
    """One run; `live` where it was replayed from the database to its end, so that its steps can be compared."""

    label: str
    view: ReadOnlyView
    name: str = ""
    live: bool = False


@dataclass(frozen=True)
class SnapshotSide:
    """All runs of a snapshot."""

    label: str
    view: DatabaseView


@dataclass(frozen=True)
class DocumentSide:
    """A JSON document."""

    label: str
    value: Any


Side: TypeAlias = RunSide | SnapshotSide | DocumentSide


class Sides:
    """Reads what is named on the command line; a context manager that keeps the database open meanwhile."""

    def __init__(self, call: Invocation, db: str | None) -> None:
        self._call = call
        self._db = db
        self._open = ExitStack()
        self._database: Database | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def database(self) -> Database:
        """The database, opened when a run is named first. Raises NotADatabase."""
        if self._database is None:
            self._database = self._open.enter_context(reading(place_of(self._call, self._db)))
        return self._database

    def read(self, text: str) -> Side:
        """The side that `text` names. Raises UsageError, and what reading it raises."""
        form, colon, rest = text.partition(":")
        reader = {"run": self._run, "snapshot": self._snapshot, "entry": self._entry, "git": self._git}.get(
            form
        )
        if not colon or reader is None:
            return self._file(rest if colon and form == "file" else text)
        if not rest:
            raise UsageError(f"{text!r} names nothing", remedy=FORMS)
        return reader(rest)

    def _run(self, text: str) -> Side:
        name, at, last = text.rpartition("@")
        step = int(last) if at and last.isascii() and last.isdigit() and len(last) < 12 else None
        if at and step is None and not name:
            raise UsageError(f"{text!r} names no run", remedy=FORMS)
        run = chosen_run(self.database, name if step is not None else text)
        view = self.database.replay_run(run.run_id, step=step)
        return RunSide(f"run:{run.run_id}@{view.step}", view, run.name or "", live=step is None)

    def _snapshot(self, text: str) -> Side:
        from devstate.durable import OS
        from devstate.engine.builtin import builtin_registry
        from devstate.engine.point_in_time import DatabaseView
        from devstate.engine.recovery_base import load_snapshot
        from devstate.engine.snapshot_reading import read_snapshot
        from devstate.engine.versions import Versions

        file, _, wanted = text.partition("#")
        path = self._snapshot_path(file)
        contents = read_snapshot(path)
        base = load_snapshot(
            path, contents.info.wal_offset, builtin_registry(), Versions, contents.meta.salt, OS
        )
        whole = DatabaseView(base.primitives, base.cv, base.ts)
        name = os.path.basename(path)
        if not wanted:
            return SnapshotSide(f"snapshot:{name}", whole)
        digits = wanted.replace("-", "").lower()
        found = [
            run
            for run in whole.runs()
            if run.name == wanted or (len(digits) >= 4 and run.run_id.replace("-", "").startswith(digits))
        ]
        if len(found) != 1:
            many = "no run" if not found else f"{len(found):,} runs"
            raise UsageError(
                f"{wanted!r} fits {many} of the {len(whole.runs()):,} in {name}",
                remedy="Give an identifier, at least 4 digits of it, or a name that only one has.",
            )
        chosen = found[0]
        return RunSide(f"snapshot:{name}#{chosen.run_id}", whole.run(chosen.run_id), chosen.name or "")

    def _snapshot_path(self, file: str) -> str:
        from devstate.durable import kind_of
        from devstate.engine.layout import snapshots_folder

        if os.sep in file or kind_of(file) is not None:
            return file
        return os.path.join(snapshots_folder(place_of(self._call, self._db).path), file)

    def _entry(self, text: str) -> Side:
        from .commands.history import entry_number, readable
        from .judging import judged_history

        with judged_history(self._call) as judged:
            opened = readable(judged)
            number = entry_number(text, len(opened))
            return DocumentSide(f"entry:{number}", opened.entry(number).members)

    def _git(self, text: str) -> Side:
        from devstate.workspace import find_root

        ref, _, path = text.partition(":")
        label = f"git:{ref}:{path}" if path else f"git:{ref}"
        return DocumentSide(label, self._parsed(_from_git(find_root(self._call.directory), ref, path), label))

    def _file(self, path: str) -> Side:
        from devstate.durable import read_bounded

        try:
            data = read_bounded(path, limit=self._limit()).data
        except InputMissing as error:
            raise InputMissing(error.message, path=path, remedy=FORMS) from None
        return DocumentSide(path, self._parsed(data, path))

    def _limit(self) -> int:
        from .judging import settings_around

        return settings_around(self._call).limits.file_bytes

    def _parsed(self, data: bytes, label: str) -> Any:
        from devstate.strict_json import parse_strict

        if len(data) > self._limit():
            raise LimitExceeded(
                f"{label} has {len(data):,} bytes", path=label, remedy="Raise limits.file_bytes."
            )
        parsed = parse_strict(data, depth=_DEPTH)
        if parsed.faults:
            fault = parsed.faults[0]
            error = DevStateError(
                f"{label} cannot be compared: {fault.message}",
                position=f"byte {fault.offset}",
                remedy="`devstate verify` and `devstate validate` say more where it is one of the documents.",
            )
            error.code = fault.code
            error.exit_code = 1
            raise error
        return parsed.value


def _from_git(root: str, ref: str, path: str) -> bytes:
    """The bytes of a file at a commit, of state.json unless a path (from the workspace root) is given."""
    if ref.startswith("-") or not ref:
        raise UsageError(f"{ref!r} is no git revision", remedy="Give one as in git:HEAD~1.")
    # git sees nothing of our environment: neither its own variables, which could lead elsewhere, nor secrets.
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
    }
    try:
        done = subprocess.run(
            ["git", "cat-file", "blob", f"{ref}:./{path or _STATE}"],
            cwd=root,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise InputUnreadable(
            f"git cannot be run: {error.strerror or error}", remedy="Install git."
        ) from None
    if done.returncode:
        said = next(iter(_lines(done.stderr)), "git gave no reason")
        raise InputMissing(
            f"git has no {path or _STATE} at {ref}: {said.removeprefix('fatal: ')}",
            remedy="`git log --oneline -- .trae/state.json` lists the commits that have it.",
        )
    return done.stdout


def _lines(data: bytes) -> Iterator[str]:
    return (line for line in data.decode("utf-8", "replace").splitlines() if line)
