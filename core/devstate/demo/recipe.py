"""A recipe: how a demo workspace departs from the sound one. The sound one is `Recipe()`.

The steps stand in the order in which they are taken. Each gets the size of the history (`entries`) or the
things made so far, and a step that works on a stream passes it on as a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from .history import PUBLIC_SECRET
from .rows import Row

__all__ = ["Recipe", "SecretFrom"]

SecretFrom = tuple[Callable[[int], int], bytes]
"""From which entry on (given the size of the history) which secret signs."""


class Recipe(msgspec.Struct, frozen=True):
    """`state` edits the document and the files before the last entry names their checksum; `rows` what the
    entries say before they are signed; `secrets` and `first_prev` how they are signed; `entries` the signed
    entries as text; `layout` the bytes of the file; `afterwards` the files and links when all is done.
    `history` False leaves the history out.
    """

    state: Callable[[dict[str, Any], dict[str, bytes]], None] | None = None
    rows: Callable[[Iterator[Row], int], Iterator[Row]] | None = None
    secrets: tuple[SecretFrom, ...] = ((lambda entries: 0, PUBLIC_SECRET),)
    first_prev: str = ""
    entries: Callable[[Iterator[str], int], Iterator[str]] | None = None
    layout: Callable[[Iterator[bytes], int], Iterator[bytes]] | None = None
    afterwards: Callable[[dict[str, bytes], dict[str, str]], None] | None = None
    history: bool = True
