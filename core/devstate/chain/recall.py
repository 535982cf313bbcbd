"""Blocks that an earlier scan proved and verified, known again by the SHA-256 of their bytes.

For readings that follow one another while a file is being written: what did not change is not decoded and not
MACed a second time. Every byte is still read and hashed; links, times and everything between blocks are judged
anew. Nothing of this is ever stored outside the process.
"""

from __future__ import annotations

import hashlib

import msgspec

from .fast import FastEntry
from .keys import Keyring
from .layout import Layout

__all__ = ["BlockCache", "KnownBlock", "Recall"]

# Decoded entries take about twice their text; a larger file would cost more memory than its time is worth.
_MOST_BYTES = 16 << 20


class KnownBlock(msgspec.Struct, frozen=True):
    """The proven entries of a block, all of which verify under the key of this number in the ring."""

    entries: list[FastEntry]
    key: int


class BlockCache:
    """What the last complete scan knew; belongs to one watched file and one key ring at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, Layout], KnownBlock] = {}
        self._keyring: Keyring | None = None

    def begin(self, keyring: Keyring | None, size: int) -> Recall | None:
        """The recall for one scan of `size` bytes; None where nothing is to be remembered."""
        if keyring is None or size > _MOST_BYTES:
            self._known = {}
            return None
        if keyring is not self._keyring:
            self._known = {}
            self._keyring = keyring
        return Recall(self, self._known)

    def replace(self, known: dict[tuple[bytes, Layout], KnownBlock]) -> None:
        """Keep what one scan met, and nothing else."""
        self._known = known


class Recall:
    """The cache during one scan: finds blocks of the scan before, collects those of this one."""

    def __init__(self, cache: BlockCache, known: dict[tuple[bytes, Layout], KnownBlock]) -> None:
        self._cache = cache
        self._known = known
        self._met: dict[tuple[bytes, Layout], KnownBlock] = {}

    def find(self, digest: bytes, layout: Layout) -> KnownBlock | None:
        """The block with this SHA-256, if the scan before knew it."""
        known = self._known.get((digest, layout))
        if known is not None:
            self._met[digest, layout] = known
        return known

    def add(self, digest: bytes, layout: Layout, known: KnownBlock) -> None:
        self._met[digest, layout] = known

    def finish(self) -> None:
        """The scan came to its end: what it met is what the next one may recall."""
        self._cache.replace(self._met)

    @staticmethod
    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()
