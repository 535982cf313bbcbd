"""The limits at their borders: what just fits is read, one more is named, and the rest is judged on."""

from __future__ import annotations

from pathlib import Path

import pytest

from chain_samples import RING, chain, changed, codes, dump, only, signed, verified
from devstate.chain import Limits, open_source, verify_history
from devstate.errors import LimitExceeded

ENTRIES = chain(4)


def nested(levels: int) -> object:
    """A metadata in a file that is `levels` containers deep: the list, the entry and the metadata are three."""
    value: object = "x"
    for _ in range(levels - 3):
        value = [value]
    return {"deep": value}


@pytest.mark.parametrize("limit", [6, 7, 8, 20, 64])
@pytest.mark.parametrize("form", ["array", "entries"])
def test_depth(limit: int, form: str) -> None:
    around = 1 if form == "entries" else 0
    for levels, fits in ((limit - around, True), (limit - around + 1, False)):
        entries = signed(changed(ENTRIES, 2, metadata=nested(levels)))
        data = dump({"entries": entries} if around else entries)
        report = verified(data, limits=Limits(depth=limit))
        assert codes(report) == (set() if fits else {"LIMIT_EXCEEDED"})
        assert report.entries == 4
        if not fits:
            found = only(report, "LIMIT_EXCEEDED")
            assert found.where.entry == 2
            assert "limits.depth" in found.message
            assert report.letters == b"GGBG"


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_the_size_of_an_entry(indent: int | None) -> None:
    entries = signed(changed(ENTRIES, 2, metadata={"a": "x" * 5000}))
    data = dump(entries, indent)
    size = max(len(raw) for raw in _raws(data))
    assert verified(data, limits=Limits(entry_bytes=size)).ok
    report = verified(data, limits=Limits(entry_bytes=size - 1))
    assert codes(report) == {"LIMIT_EXCEEDED"}
    found = only(report, "LIMIT_EXCEEDED")
    assert found.where.entry == 2
    assert f"{size} bytes" in found.message
    assert "limits.entry_bytes" in found.message
    assert (report.entries, report.letters) == (4, b"GGBG")


def _raws(data: bytes) -> list[bytes]:
    from devstate.chain import BytesSource, scan_history

    source = BytesSource(data)
    return [entry.raw for entry in scan_history(source, keyring=RING).index.entries(0, 99, source)]


def test_an_entry_far_beyond_the_limit_does_not_hide_the_others() -> None:
    entries = signed(changed(ENTRIES, 1, metadata={"a": "x" * 100_000}))
    report = verified(dump(entries), limits=Limits(entry_bytes=2000))
    assert codes(report) == {"LIMIT_EXCEEDED"} or codes(report) == {"TORN_FILE"}
    assert report.entries == 4
    assert report.letters == b"GBGG"


def test_a_block_of_many_small_entries_is_no_large_entry() -> None:
    report = verified(dump(chain(200)), limits=Limits(entry_bytes=1000))
    assert report.ok
    assert report.verified == 200


def test_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_bytes(dump(ENTRIES))
    size = path.stat().st_size
    assert verify_history(str(path), keyring=RING, limits=Limits(file_bytes=size)).ok
    with pytest.raises(LimitExceeded) as caught:
        verify_history(str(path), keyring=RING, limits=Limits(file_bytes=size - 1))
    assert str(size) in str(caught.value)
    assert "limits.file_bytes" in str(caught.value.remedy)
    with pytest.raises(LimitExceeded), open_source(str(path), limits=Limits(file_bytes=size - 1)):
        pass


@pytest.mark.parametrize("digits", [4300, 4301])
def test_the_digits_of_a_number(digits: int) -> None:
    data = dump(ENTRIES).replace(b'"deep": null', b'"deep": ' + b"9" * digits, 1)
    expected = "CANON_UNREPRESENTABLE" if digits == 4300 else "LIMIT_EXCEEDED"
    report = verified(data)
    assert codes(report) == {expected}
    assert report.letters == b"BGGG"


@pytest.mark.parametrize("opener", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("closed", [False, True])
def test_brackets_beyond_the_stack(opener: bytes, closed: bool) -> None:
    count = 50_000
    closer = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opener]
    data = opener * count + (b"1" + closer * count if closed else b"")
    assert codes(verified(data)) <= {"LIMIT_EXCEEDED", "TORN_FILE", "SHAPE", "FIELD_TYPE"}
    assert codes(verified(data))
