"""The two documents of `.trae`: the state, its schemas, its artifacts, and what must be masked."""

from .artifacts import ArtifactCache, ArtifactReading, check_artifacts, refused_path
from .pointer import join_pointer, resolve_pointer, split_pointer
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

__all__ = [
    "HISTORY_FILE",
    "STATE_FILE",
    "Agent",
    "ArtifactCache",
    "ArtifactReading",
    "ListedArtifact",
    "StateDocument",
    "add_lines",
    "check_artifacts",
    "check_no_drift",
    "join_pointer",
    "parse_state",
    "refused_path",
    "resolve_pointer",
    "split_pointer",
]
