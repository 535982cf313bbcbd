"""Which database a command means, opening it, and finding a run in it. The engine is imported when it is needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import click

from devstate.errors import DevStateError, UsageError

from .invocation import Invocation

if TYPE_CHECKING:
    from devstate.engine import Database
    from devstate.engine.primitives.runs import RunMetadata

__all__ = [
    "Place",
    "chosen_run",
    "db_option",
    "has_database",
    "place_of",
    "reading",
    "require_database",
    "short_ids",
    "waited",
    "writing",
]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_SHORTEST = 4
_MOST_LISTED = 8

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Place:
    """The folder of a database: that of the workspace `root`, or one that was named (`root` None)."""

    path: str
    root: str | None

    @property
    def shown(self) -> str:
        """The folder, relative to the workspace where it belongs to one."""
        return os.path.relpath(self.path, self.root) if self.root is not None else self.path


def db_option(function: F) -> F:
    """`--db DIR`."""
    return click.option(
        "--db",
        metavar="DIR",
        type=click.Path(),
        help="The folder of the database (default: .trae/store of the workspace).",
    )(function)


def place_of(call: Invocation, db: str | None) -> Place:
    """Where the database of this call is, whether it exists or not. Raises WorkspaceNotFound, UsageError."""
    if db is not None:
        if not db:  # an unset variable of a script must not mean the folder that it happens to be in
            raise UsageError(
                "--db names no folder", remedy="Name the folder of a database, or leave --db out."
            )
        return Place(os.path.abspath(db), None)
    from devstate.workspace import find_root
    from devstate.workspace.places import STORE

    root = find_root(call.directory)
    return Place(os.path.join(root, STORE), root)


def has_database(place: Place) -> bool:
    """Whether anything is there that could be a database: a workspace has none before its first run."""
    from devstate.durable import kind_of, list_folder

    kind = kind_of(place.path)
    return kind is not None and (kind != "folder" or bool(list_folder(place.path)))


def require_database(place: Place) -> None:
    """Raises NotADatabase where nothing is there."""
    if not has_database(place):
        raise _absent(place)


def reading(place: Place, *, on_corruption: str = "raise") -> Database:
    """The database, opened without a lock and without changing anything. Raises NotADatabase, WalCorruptionError."""
    require_database(place)
    from devstate.engine import Database, RecoveryOptions
    from devstate.engine.errors import NotADatabase

    options = RecoveryOptions(on_corruption=on_corruption)  # pyright: ignore[reportArgumentType]
    try:
        return Database.open(place.path, read_only=True, create=False, recovery=options)
    except NotADatabase as error:
        raise _absent(place, error) from None


def writing(place: Place, *, wait: float, create: bool = False) -> AbstractContextManager[Database]:
    """The database, opened beside other writers. Raises NotADatabase, DatabaseLocked after `wait` seconds."""
    from devstate.engine import Database

    if not create:
        require_database(place)
    return waited(lambda: Database.open(place.path, shared=True, create=create), wait)


def waited(attempt: Callable[[], T], wait: float) -> T:
    """What `attempt` gives, tried again while another process has the database locked, for `wait` seconds."""
    from devstate.engine.errors import DatabaseLocked

    until = time.monotonic() + wait
    while True:
        try:
            return attempt()
        except DatabaseLocked:
            if not time.monotonic() < until:  # so that a wait of NaN ends
                raise
        time.sleep(0.05)


def checked_name(name: str | None, remedy: str) -> None:
    """The name of a run that is begun, where one is given. Raises UsageError."""
    if name is not None and not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise UsageError(f"a name has 1 to {_LONGEST_NAME} characters", remedy=remedy)


def chosen_run(database: Database, text: str) -> RunMetadata:
    """The run that `text` means: `last` for the newest, an identifier or the beginning of one, or a name.

    Raises UsageError where it fits several or is too short, RunNotFound where it fits none.
    """
    from devstate.engine.errors import RunNotFound

    runs = database.list_runs()
    if text == "last" and runs:
        return runs[-1]
    digits = text.replace("-", "").lower()
    is_hex = bool(digits) and all(digit in "0123456789abcdef" for digit in digits)
    found: list[RunMetadata] = []
    if is_hex and len(digits) >= _SHORTEST:
        found = [run for run in runs if run.run_id.replace("-", "").startswith(digits)]
    found = found or [run for run in runs if run.name == text]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(text, found)
    if is_hex and len(digits) < _SHORTEST:
        raise UsageError(
            f"{text!r} is too short to mean a run",
            remedy=f"Give at least {_SHORTEST} digits of its identifier, its name, or `last`.",
        )
    many = f"{len(runs):,} runs" if len(runs) != 1 else "1 run"
    raise RunNotFound(
        f"no run {text!r} in {database.path}, which has {many}",
        remedy="`devstate run list` shows them; an identifier, its first digits, a name or `last` mean one.",
    )


def short_ids(runs: Sequence[RunMetadata]) -> dict[str, str]:
    """The beginning of each identifier, 8 digits or as many as tell it from the others."""
    wanted = sorted(str(run.run_id) for run in runs)
    length = 8
    for one, other in pairwise(wanted):
        while one[:length] == other[:length] and length < len(one):
            length += 1
    return {text: text[:length] for text in wanted}


def _ambiguous(text: str, found: Sequence[RunMetadata]) -> UsageError:
    listed = ", ".join(f"{run.run_id}{f' ({run.name})' if run.name else ''}" for run in found[:_MOST_LISTED])
    more = f" and {len(found) - _MOST_LISTED:,} more" if len(found) > _MOST_LISTED else ""
    return UsageError(
        f"{text!r} fits {len(found):,} runs: {listed}{more}", remedy="Give more digits of the identifier."
    )


def _absent(place: Place, error: DevStateError | None = None) -> DevStateError:
    from devstate.engine.errors import NotADatabase

    message = error.message if error is not None else f"there is no database in {place.path}"
    remedy = (
        "`devstate run record -- CMD` or `devstate run begin` makes one."
        if place.root is not None and not has_database(place)
        else "Name the folder of a database, or one that does not exist yet for `devstate run begin --db DIR`."
    )
    return NotADatabase(message, path=place.path, remedy=remedy)
