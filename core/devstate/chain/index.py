"""An index over a history's bytes: where the entries are, block by block, without a copy of any of them.

An entry is read from the open source when it is shown. The digest of its block is compared then, so what is
shown is what was judged.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import msgspec

from devstate.errors import ChangedDuringRead

from .entry import Entry
from .layout import Layout
from .limits import Limits
from .source import Source
from .strict import parse_value

__all__ = ["HistoryIndex", "IndexBuilder", "block_digest", "divide", "parse_entry"]

_DIGEST = 16


def block_digest(data: bytes) -> bytes:
    """What an index keeps of a block, to know it again."""
    return hashlib.sha256(data).digest()[:_DIGEST]


def parse_entry(raw: bytes, *, index: int = 0, offset: int = 0, limits: Limits | None = None) -> Entry:
    """The entry in some bytes; what cannot be read as an object gives an entry without members."""
    value = parse_value(raw, limits or Limits()).value
    if not isinstance(value, dict):
        return Entry(index, offset, raw, {}, readable=False)
    return Entry(index, offset, raw, value)  # pyright: ignore[reportUnknownArgumentType]


class _Blocks(msgspec.Struct):
    """The columns of the index; they only ever grow, so a reader may look while they do."""

    offsets: array[int]
    lengths: array[int]
    firsts: array[int]
    digests: bytearray
    alone: bytearray  # 1 where the block is one entry that was read by itself, 0 where the layout divides it


class HistoryIndex(msgspec.Struct, frozen=True):
    """Entries 0 to `count - 1` of one source; `len()`, `entry()`, `entries()` are what a view needs."""

    count: int
    blocks: int
    layout: Layout | None
    limits: Limits
    _columns: _Blocks

    def __len__(self) -> int:
        return self.count

    def block_of(self, index: int) -> int:
        """The number of the block that holds an entry."""
        if not 0 <= index < self.count:
            raise IndexError(f"entry {index} of {self.count}")
        return bisect_right(self._columns.firsts, index, 0, self.blocks) - 1

    def offset(self, index: int, source: Source) -> int:
        """The byte offset of an entry in the file."""
        return self.entry(index, source).offset

    def entry(self, index: int, source: Source) -> Entry:
        """One entry. Raises IndexError, and ChangedDuringRead where the source is no longer what was indexed."""
        return self.pick((index,), source)[0]

    def entries(self, start: int, stop: int, source: Source) -> list[Entry]:
        """The entries from `start` to `stop - 1`, as far as there are any."""
        return self.pick(range(max(0, start), min(stop, self.count)), source)

    def pick(self, numbers: Iterable[int], source: Source) -> list[Entry]:
        """Entries by their numbers, which ascend; a block is read once, and divided as far as it takes."""
        result: list[Entry] = []
        for block, group in groupby(numbers, self.block_of):
            offset, data = self._block(block, source)
            position = self._columns.firsts[block]
            texts = self._texts(block, data)
            for number in group:
                start, raw = next(islice(texts, number - position, None))
                position = number + 1
                result.append(parse_entry(raw, index=number, offset=offset + start, limits=self.limits))
        return result

    def block_starts(self, most: int) -> list[int]:
        """The first entries of at most `most` blocks, spread evenly: the entries that are cheapest to reach."""
        step = max(1.0, self.blocks / most)
        firsts = self._columns.firsts
        return [firsts[int(number * step)] for number in range(min(most, self.blocks))]

    def raw_blocks(self, source: Source) -> Iterable[tuple[int, list[bytes]]]:
        """Each block's first entry number and the bytes of its entries; for passes over the whole file."""
        for block in range(self.blocks):
            _, data = self._block(block, source)
            yield self._columns.firsts[block], [raw for _, raw in self._texts(block, data)]

    def _block(self, block: int, source: Source) -> tuple[int, bytes]:
        """The place and the bytes of a block, which are those that were judged."""
        columns = self._columns
        offset = columns.offsets[block]
        data = source.pread(columns.lengths[block], offset)
        digest = columns.digests[block * _DIGEST : (block + 1) * _DIGEST]
        if digest and bytearray(block_digest(data)) != digest:
            raise ChangedDuringRead(
                "the history changed in place after it was read",
                position=f"byte {offset}",
                remedy="Read it again.",
            )
        return offset, data

    def _texts(self, block: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The entries of a block with their places in it."""
        if self.layout is None or self._columns.alone[block]:
            return iter(((0, data),))
        return divide(data, self.layout)


def divide(data: bytes, layout: Layout) -> Iterator[tuple[int, bytes]]:
    """The entries of a regular block, each with its place in it."""
    between = layout.between
    tail, gap = len(layout.last), len(layout.gap)
    start = 0
    while (found := data.find(between, start)) >= 0:
        yield start, data[start : found + tail]
        start = found + tail + gap
    yield start, data[start:]


class IndexBuilder:
    """Collects blocks in file order. `digested` keeps a digest of each, for readers that come back later."""

    def __init__(self, layout: Layout | None, limits: Limits, *, digested: bool) -> None:
        self._layout = layout
        self._limits = limits
        self._digested = digested
        self._columns = _Blocks(array("Q"), array("Q"), array("Q"), bytearray(), bytearray())
        self._count = 0

    def add(self, offset: int, data: bytes, entries: int, *, alone: bool, digest: bytes = b"") -> None:
        """One block of `entries` entries; `alone` for an entry that the layout does not set apart.

        `digest` is the SHA-256 of the data, where it is known already.
        """
        digest = (digest[:_DIGEST] or block_digest(data)) if self._digested else b""
        self.place(offset, len(data), entries, digest, alone=alone)

    def place(self, offset: int, length: int, entries: int, digest: bytes, *, alone: bool) -> None:
        """One block that was read elsewhere; `digest` is empty where the index keeps none."""
        columns = self._columns
        columns.digests += digest
        columns.offsets.append(offset)
        columns.lengths.append(length)
        columns.alone.append(alone)
        columns.firsts.append(self._count)
        self._count += entries

    def index(self) -> HistoryIndex:
        """What is indexed so far; it stays right while more is added."""
        return HistoryIndex(self._count, len(self._columns.firsts), self._layout, self._limits, self._columns)
