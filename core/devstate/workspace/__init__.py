"""The one entrance to a workspace: readings of what is on disk, a stream of them, and planned changes."""

from .discovery import find_root, load_workspace_settings
from .doctor import Diagnosis, Terminal, doctor
from .nodrift import ArtifactCounts, Check, Gate, count_artifacts, no_drift_gate
from .opening import Workspace
from .planning import Content, plan_files
from .reading import Binding, HistoryReading, Reading, StateReading, StorePosition
from .secrets import resolve_keyring

__all__ = [
    "ArtifactCounts",
    "Binding",
    "Check",
    "Content",
    "Diagnosis",
    "Gate",
    "HistoryReading",
    "Reading",
    "StateReading",
    "StorePosition",
    "Terminal",
    "Workspace",
    "count_artifacts",
    "doctor",
    "find_root",
    "load_workspace_settings",
    "no_drift_gate",
    "plan_files",
    "resolve_keyring",
]
