"""The peer that the engine is measured beside: stratadb, through its Python API, one process (`ipc="off"`).

It is an optional dependency (`pip install '.[bench]'`). Without it the rows hold our numbers alone, and a note says so.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

NAME = "stratadb"

MODES: dict[str, dict[str, Any]] = {
    "memory": {"cache": True},
    "buffered": {"durability": "standard", "ipc": "off"},
    "strict": {"durability": "always", "ipc": "off"},
}
"""Its mode for each of ours. They are never compared across."""

CALLED = {"memory": "cache", "buffered": "standard", "strict": "always"}


def available() -> bool:
    """Whether it is installed; it is imported where it is opened only."""
    return importlib.util.find_spec(NAME) is not None


def version() -> str | None:
    """The installed version; None where there is none."""
    return importlib.metadata.version(NAME) if available() else None


def open_peer(mode: str, path: Path | None = None) -> Any:
    """An open database in the mode that matches ours."""
    import stratadb

    options = MODES[mode]
    return stratadb.open(**options) if mode == "memory" else stratadb.open(str(path), **options)


def fairness() -> list[str]:
    """What a reader must know before the ratios; ours against its mode, what each does more."""
    found = version()
    if found is None:
        return [f"{NAME} is not installed (`pip install '.[bench]'`): no row has a peer"]
    return [
        f'peer: {NAME} {found}, its Python API, ipc="off"; matching modes only: memory against cache=True, buffered '
        "against standard, strict against always",
        "the peer's calls return rich receipts (commit, effect, times), and its core is a log-structured store with "
        "branches, vectors, graphs and compression; ours return a number: the headline is no wire format between "
        "the caller's objects and the store, not one language against another",
        "buffered is also stronger than standard: a returned commit is with the operating system, and survives "
        "the death of the process (see the rows of kill -9)",
        "the peer opens lazily and reads records when they are asked for; ours loads everything at open: the rows "
        "with a count of all keys are the comparable ones",
        "the peer compresses what it writes; values here are random and do not compress",
        "the peer's json.set writes a whole document where ours creates one, and its events and ours are both chained "
        "by hashes",
    ]


NOT_COMPARED = (
    "the peer has no State, no keyword search, no replay of a run and no snapshot call: those rows are ours alone",
    "shared mode: the peer brokers several processes through one owner (`ipc`), which is off here",
    "power cuts: nothing here takes the power away; the tests of the engine do, on a simulated disk",
    "the peer's raw native call, without its Python objects, is faster than what a Python program gets; not measured",
    "reads from the device: files come from the page cache; writes and syncs go to the device of the temporary folder",
)
