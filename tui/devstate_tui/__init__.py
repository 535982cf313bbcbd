"""The DevState inspector: a terminal app that shows readings of a workspace and changes nothing."""

from __future__ import annotations

__all__ = ["run"]


def run(root: str | None = None) -> int:
    """Start the inspector on the workspace at or above `root`; returns the exit status."""
    from .app import DevStateApp

    return DevStateApp(root).run() or 0
