"""The two documents of `.trae`: the state, its schemas, its artifacts, and what must be masked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from devstate.pointer import join_pointer, resolve_pointer, split_pointer

from .artifacts import ArtifactCache, ArtifactReading, check_artifacts, refused_path
from .state import (
    HISTORY_FILE,
    STATE_FILE,
    Agent,
    ListedArtifact,
    StateDocument,
    add_lines,
    check_no_drift,
    parse_state,
)

if TYPE_CHECKING:
    from .masking import find_unmasked, mask
    from .schema import HISTORY_SCHEMA_FILE, STATE_SCHEMA_FILE, check_history, check_state

__all__ = [
    "HISTORY_FILE",
    "HISTORY_SCHEMA_FILE",
    "STATE_FILE",
    "STATE_SCHEMA_FILE",
    "Agent",
    "ArtifactCache",
    "ArtifactReading",
    "ListedArtifact",
    "StateDocument",
    "add_lines",
    "check_artifacts",
    "check_history",
    "check_no_drift",
    "check_state",
    "find_unmasked",
    "join_pointer",
    "mask",
    "parse_state",
    "refused_path",
    "resolve_pointer",
    "split_pointer",
]

# A plain `devstate verify` needs neither: they are imported when they are first asked for.
_LATER = {
    "HISTORY_SCHEMA_FILE": ".schema",
    "STATE_SCHEMA_FILE": ".schema",
    "check_history": ".schema",
    "check_state": ".schema",
    "find_unmasked": ".masking",
    "mask": ".masking",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name], __name__), name)
