"""Building a demo workspace in memory: small files as bytes, the history as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType

import msgspec

from devstate.chain.keys import Mac
from devstate.errors import UsageError

from .history import framed, signed
from .project import document_bytes, project_files, project_state
from .recipe import Recipe
from .rows import demo_rows

__all__ = ["HISTORY", "MOST_ENTRIES", "STATE", "DemoWorkspace", "build"]

STATE = ".trae/state.json"
HISTORY = ".trae/history.json"
MOST_ENTRIES = 10_000_000


class DemoWorkspace(msgspec.Struct, frozen=True):
    """A whole workspace, not yet written. The same arguments give the same bytes on every machine.

    `files` maps paths relative to the root to contents (all but the history), `links` those of symbolic links
    to their targets. `tamper` names the planted fault, None where there is none, and `sentence` says what was
    planted, for people. `has_history` is False where the fault is that there is none. `runs` is how many runs the
    database of the workspace gets when it is written; without any there is no database.
    """

    seed: int
    entries: int
    files: Mapping[str, bytes]
    links: Mapping[str, str]
    tamper: str | None
    sentence: str
    has_history: bool
    _chunks: Callable[[], Iterator[bytes]]
    runs: int = 0

    def history_chunks(self) -> Iterator[bytes]:
        """The bytes of `.trae/history.json` in chunks, made while they are asked for (about 570 an entry)."""
        return self._chunks() if self.has_history else iter(())

    def paths(self) -> tuple[str, ...]:
        """All paths that the workspace consists of, sorted."""
        history = (HISTORY,) if self.has_history else ()
        return tuple(sorted((*self.files, *self.links, *history)))


def build(
    entries: int, seed: int, recipe: Recipe, *, tamper: str | None = None, sentence: str = ""
) -> DemoWorkspace:
    """The workspace of a recipe. Raises UsageError where `entries` is not in 1 to 10,000,000."""
    if not 1 <= entries <= MOST_ENTRIES:
        raise UsageError(
            f"a demo of {entries} entries cannot be made",
            remedy=f"Ask for 1 to {MOST_ENTRIES:,} entries (--entries).",
        )
    files = project_files()
    state = project_state(entries, files)
    if recipe.state is not None:
        recipe.state(state, files)
    content = document_bytes(state)
    head_checksum = sha256(content).hexdigest()
    files[STATE] = content
    links: dict[str, str] = {}
    if recipe.afterwards is not None:
        recipe.afterwards(files, links)

    def chunks() -> Iterator[bytes]:
        rows = demo_rows(seed, entries, head_checksum)
        if recipe.rows is not None:
            rows = recipe.rows(rows, entries)
        texts = signed(rows, _macs(recipe, entries), first_prev=recipe.first_prev)
        if recipe.entries is not None:
            texts = recipe.entries(texts, entries)
        data = framed(texts)
        return data if recipe.layout is None else recipe.layout(data, entries)

    return DemoWorkspace(
        seed=seed,
        entries=entries,
        files=MappingProxyType(files),
        links=MappingProxyType(links),
        tamper=tamper,
        sentence=sentence,
        has_history=recipe.history,
        _chunks=chunks,
    )


def _macs(recipe: Recipe, entries: int) -> Callable[[int], Mac]:
    """Which key signs which entry."""
    ranges = [(start(entries), Mac(secret)) for start, secret in recipe.secrets]
    if len(ranges) == 1:
        only = ranges[0][1]
        return lambda index: only
    return lambda index: next(mac for start, mac in reversed(ranges) if index >= start)
