"""The two documents of `.trae`: the state, its schemas, its artifacts, and what must be masked."""

from .artifacts import ArtifactCache, ArtifactReading, check_artifacts, refused_path
from .masking import find_unmasked, mask
from .pointer import join_pointer, resolve_pointer, split_pointer
from .schema import HISTORY_SCHEMA_FILE, STATE_SCHEMA_FILE, check_history, check_state
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
