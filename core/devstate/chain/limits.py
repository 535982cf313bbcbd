"""Bounds that protect a reader from a hostile file."""

from __future__ import annotations

import msgspec

__all__ = ["Limits"]


class Limits(msgspec.Struct, frozen=True):
    """Sizes in bytes; `depth` counts nested containers from the top one; all are settings (`limits.*`)."""

    file_bytes: int = 1 << 30
    depth: int = 64
    entry_bytes: int = 1 << 20
    findings_per_code: int = 1000
