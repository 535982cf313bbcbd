"""The index: every entry of any file at its exact bytes, while it grows, and never bytes that were not judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chain_samples import RING, chain, changed, corpus, dump, pieces_of
from devstate.chain import (
    BytesSource,
    HistoryIndex,
    Layout,
    Progress,
    format_history,
    listing,
    open_source,
    parse_entry,
    scan_history,
    verify_history,
)
from devstate.chain.listing import Block, Single
from devstate.errors import ChangedDuringRead

LAYOUTS = [Layout(form, indent) for form in ("array", "entries") for indent in (-1, 0, 1, 4)]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_BLOCK", 1500)


def indexed(data: bytes) -> tuple[HistoryIndex, BytesSource]:
    source = BytesSource(data)
    return scan_history(source, keyring=RING).index, source


def check_places(data: bytes) -> int:
    """Every entry stands at its offset, whole, and the entries are in order; their number."""
    index, source = indexed(data)
    end = 0
    for number, entry in enumerate(index.entries(0, len(index), source)):
        assert entry.index == number
        assert data[entry.offset : entry.offset + len(entry.raw)] == entry.raw
        assert entry.offset >= end
        end = entry.offset + len(entry.raw)
        if number % 37 == 0 or number == len(index) - 1:
            alone = index.entry(number, source)
            assert (alone.index, alone.offset, alone.raw) == (number, entry.offset, entry.raw)
            assert index.offset(number, source) == entry.offset
    return len(index)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_the_entries_with_what_is_between_them_are_the_file(layout: Layout) -> None:
    entries = chain(20)
    data = format_history(entries, layout)
    index, source = indexed(data)
    read = index.entries(0, 20, source)
    assert [entry.members for entry in read] == entries
    assert layout.opening + layout.gap.join(entry.raw for entry in read) + layout.closing == data
    assert check_places(data) == 20


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, 3))])
def test_every_file_of_the_corpus_can_be_shown(part: int) -> None:
    for name in sorted(corpus())[part::3]:
        data = corpus()[name]
        count = check_places(data)
        judged = sum(
            len(piece.entries) if isinstance(piece, Block) else 1
            for piece in pieces_of(data)
            if isinstance(piece, Block | Single)
        )
        assert count == judged, name


@pytest.mark.usefixtures("small_blocks")
def test_parts_of_the_list() -> None:
    index, source = indexed(dump(chain(30)))
    whole = index.entries(0, 30, source)
    for start, stop in ((0, 0), (0, 1), (3, 17), (29, 30), (28, 99), (-5, 2), (40, 50), (5, 5), (9, 3)):
        assert index.entries(start, stop, source) == whole[max(0, start) : max(0, stop)]
    for wrong in (-1, 30, 10**9):
        with pytest.raises(IndexError):
            index.entry(wrong, source)
    assert b"".join(raw for _, raws in index.raw_blocks(source) for raw in raws) == b"".join(
        entry.raw for entry in whole
    )
    assert [first for first, _ in index.raw_blocks(source)] == sorted({*_firsts(index)})


def _firsts(index: HistoryIndex) -> list[int]:
    return [
        number
        for number in range(len(index))
        if not number or index.block_of(number) != index.block_of(number - 1)
    ]


@pytest.mark.usefixtures("small_blocks")
def test_a_block_that_holds_one_strictly_read_entry() -> None:
    entries = changed(chain(20), 7, extra={"a": 1})
    index, source = indexed(dump(entries))
    assert [entry.members for entry in index.entries(0, 20, source)] == entries
    assert index.entry(7, source).unknown == {"extra": {"a": 1}}


def test_an_entry_that_cannot_be_read_is_still_shown() -> None:
    data = dump(chain(3)).replace(b'"step_1",', b'"step_1,')
    index, source = indexed(data)
    entry = index.entry(1, source)
    assert not entry.readable
    assert b"step_1" in entry.raw
    assert (entry.members, entry.actor, entry.metadata, entry.cp_from) == ({}, "", None, None)
    assert index.entry(2, source).readable


def test_an_empty_history() -> None:
    index, source = indexed(b"[]")
    assert len(index) == 0
    assert index.entries(0, 10, source) == []
    assert list(index.raw_blocks(source)) == []


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_change_in_place_is_noticed_in_its_block_only(tmp_path: Path, jobs: int) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(dump(chain(30)))
    with open_source(str(path)) as source:
        index = scan_history(source, keyring=RING, jobs=jobs).index
        at = path.read_bytes().index(b"step_20")
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"stop")
        with pytest.raises(ChangedDuringRead) as caught:
            index.entry(20, source)
        assert caught.value.position
        assert index.entry(0, source).action == "step_0"


def test_an_atomic_replace_leaves_the_reader_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(dump(chain(3)))
    with open_source(str(path)) as source:
        index = scan_history(source, keyring=RING).index
        fresh = tmp_path / "fresh"
        fresh.write_bytes(dump(chain(1)))
        fresh.replace(path)
        assert [entry.action for entry in index.entries(0, 3, source)] == ["step_0", "step_1", "step_2"]


def progress_of(data: bytes, monkeypatch: pytest.MonkeyPatch, look: Callable[[Progress], None]) -> None:
    from devstate.chain import verify

    monkeypatch.setattr(verify, "report_step", lambda size: 1000)
    verify_history(data, keyring=RING, on_progress=look)


@pytest.mark.usefixtures("small_blocks")
def test_the_index_is_of_use_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = changed(chain(60), 40, actor="EVIL")
    data = dump(entries)
    source = BytesSource(data)
    seen: list[Progress] = []

    def look(progress: Progress) -> None:
        assert len(progress.index) == progress.entries == len(progress.letters)
        last = progress.index.entry(progress.entries - 1, source)
        assert last.members == entries[progress.entries - 1]
        assert progress.bytes_done == last.offset + len(last.raw)
        seen.append(progress)

    progress_of(data, monkeypatch, look)
    assert len(seen) > 10
    early = seen[2]
    assert len(early.index) == early.entries < 60  # it did not grow under the hands of who holds it
    assert early.index.entry(0, source).members == entries[0]
    with pytest.raises(IndexError):
        early.index.entry(early.entries, source)


def test_parse_entry_keeps_everything() -> None:
    raw = b'{ "x": 1.0, "ts": 5, "metadata": {"a": [1]}, "cp_from": null }'
    entry = parse_entry(raw, index=3, offset=17)
    assert (entry.index, entry.offset, entry.raw) == (3, 17, raw)
    assert list(entry.members) == ["x", "ts", "metadata", "cp_from"]
    assert (entry.ts, entry.metadata, entry.cp_from, entry.unknown) == ("", {"a": [1]}, None, {"x": 1.0})
    assert not parse_entry(b"[1]").readable
    assert not parse_entry(b"{").readable
