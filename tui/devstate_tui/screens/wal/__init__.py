"""The log: segments, snapshots, entries, their bytes, and what opening would do."""

from .wal import WalScreen

__all__ = ["WalScreen"]
