"""Which paths of a document recent commits wrote: what lets transactions on other paths of it commit."""

from __future__ import annotations

from devstate.engine.json_path import Path
from devstate.engine.primitive import Key

from .json_entries import MOST_NOTED

__all__ = ["WrittenPaths"]


class _Journal:
    """The paths that commits after version `floor` wrote to one document."""

    __slots__ = ("commits", "floor")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.commits: list[tuple[int, tuple[Path, ...]]] = []


class WrittenPaths:
    """Kept while there are readers, and only for the documents written meanwhile. Used under the commit lock."""

    __slots__ = ("_journals",)

    def __init__(self) -> None:
        self._journals: dict[tuple[bytes, Key], _Journal] = {}

    def __bool__(self) -> bool:
        return bool(self._journals)

    def note(self, run: bytes, key: Key, cv: int, paths: tuple[Path, ...], before: int) -> None:
        """Commit `cv` wrote these paths; `before` is the version of the document until then."""
        journal = self._journals.get((run, key))
        if journal is None:
            journal = self._journals[run, key] = _Journal(before)
        if len(journal.commits) < MOST_NOTED:
            journal.commits.append((cv, paths))
        else:
            journal.commits.clear()
            journal.floor = cv

    def after(self, run: bytes, key: Key, cv: int, newest: int) -> list[Path] | None:
        """The paths that commits after `cv` wrote; None where that is not known of all up to `newest`."""
        journal = self._journals.get((run, key))
        if journal is None or cv < journal.floor:
            return None
        commits = journal.commits
        if (commits[-1][0] if commits else journal.floor) != newest:
            return None
        return [path for commit, paths in commits if commit > cv for path in paths]

    def clear(self) -> None:
        """There are no readers."""
        self._journals.clear()

    def forget(self, run: bytes) -> None:
        """The run was deleted."""
        for place in [place for place in self._journals if place[0] == run]:
            del self._journals[place]
