"""The one entrance to a workspace: readings of what is on disk, a stream of them, and planned changes."""

from .reading import Binding, HistoryReading, Reading, StateReading, StorePosition

__all__ = ["Binding", "HistoryReading", "Reading", "StateReading", "StorePosition"]
