"""Bounds that protect a reader from a hostile file (the settings `limits.*`)."""

from __future__ import annotations

from devstate.settings import Limits

__all__ = ["Limits"]
