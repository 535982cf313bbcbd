"""Chance that is the same everywhere: numbers drawn from SHA-256, so from nothing but a text."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """A stream of bytes and choices that depends on `seed` alone."""

    def __init__(self, seed: str) -> None:
        self._source = sha256(seed.encode())
        self._rounds = 0
        self._left = b""

    def bytes(self, size: int) -> bytes:
        """The next `size` bytes."""
        while len(self._left) < size:
            source = self._source.copy()
            source.update(b"%d" % self._rounds)
            self._rounds += 1
            self._left += source.digest()
        found, self._left = self._left[:size], self._left[size:]
        return found

    def between(self, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        return least + int.from_bytes(self.bytes(4), "big") % (most - least + 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.between(0, len(choices) - 1)]

    def chance(self, percent: int) -> bool:
        """True so many times out of a hundred."""
        return self.between(1, 100) <= percent
