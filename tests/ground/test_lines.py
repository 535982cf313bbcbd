"""Lines of byte offsets, from bytes at hand and from bytes that are read in parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devstate.lines import lines_of

_files = st.lists(st.sampled_from([b"\n", b"\r\n", b"word", b"\xc3\xa4"]), max_size=40).map(b"".join)


@given(_files, st.lists(st.integers(0, 120)), st.integers(1, 7))
def test_a_line_is_one_more_than_the_line_feeds_before_it(data: bytes, offsets: list[int], part: int) -> None:
    expected = {offset: data[:offset].count(b"\n") + 1 for offset in offsets}
    assert lines_of(data, offsets) == expected
    assert lines_of(lambda size, offset: data[offset : offset + min(size, part)], offsets) == expected


def test_a_file_of_several_windows() -> None:
    data = b"x" * 999 + b"\n"
    data *= 3000
    offsets = [0, 999, 1000, 1 << 20, (1 << 20) + 1, 2 << 20, len(data) - 1, len(data), len(data) + 5]
    assert lines_of(data, reversed(offsets)) == {at: data[:at].count(b"\n") + 1 for at in offsets}


def test_no_offset_reads_nothing() -> None:
    def read(size: int, offset: int) -> bytes:
        raise AssertionError

    assert lines_of(read, []) == {}
    assert lines_of(read, [0]) == {0: 1}
