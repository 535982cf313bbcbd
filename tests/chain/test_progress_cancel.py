"""Progress is told in order and often enough; a cancelled verification gives no verdict."""

from __future__ import annotations

import itertools

import pytest

from chain_samples import RING, SECRET, chain, changed, dump, verified
from devstate.chain import (
    BytesSource,
    Keyring,
    Progress,
    VerificationCancelled,
    scan_history,
    verify_history,
)

COUNT = 4000


@pytest.fixture(scope="module")
def data() -> bytes:
    return dump(changed(chain(COUNT), 2500, actor="EVIL"))


@pytest.mark.parametrize("form", ["regular", "irregular"])
def test_progress(data: bytes, form: str) -> None:
    if form == "irregular":
        data = b" " + data
    told: list[Progress] = []
    report = verify_history(data, keyring=RING, on_progress=told.append)
    assert len(told) > len(data) // (1 << 20)
    assert all(one.bytes_total == len(data) for one in told)
    for before, after in itertools.pairwise(told):
        assert after.bytes_done - before.bytes_done >= 1 << 18
        assert after.entries > before.entries
    assert told[-1].bytes_done <= len(data)
    for one in told:
        assert one.letters == report.letters[: one.entries].replace(b"U", b"G")
        assert one.bad == one.letters.count(b"B") == (one.entries > 2500)
        assert one.first_bad == (2500 if one.bad else None)


def test_what_is_indexed_so_far_is_decoded_from_the_source_that_progress_names(data: bytes) -> None:
    source = BytesSource(data)
    told: list[Progress] = []
    found = scan_history(source, keyring=RING, on_progress=told.append)
    assert told
    for one in told:
        assert one.source is source
        last = len(one.index) - 1
        assert one.index.entry(last, one.source) == found.index.entry(last, source)


def test_a_wrong_key_shows_as_bad_until_the_end(data: bytes) -> None:
    told: list[Progress] = []
    report = verify_history(
        dump(chain(COUNT)), keyring=Keyring.of(b"quite another secret"), on_progress=told.append
    )
    assert set(told[0].letters) == {66}
    assert set(report.letters) == {69}


def test_without_a_key_nothing_shows_as_good(data: bytes) -> None:
    told: list[Progress] = []
    verify_history(dump(chain(COUNT)), keyring=None, on_progress=told.append)
    assert told
    assert all(set(one.letters) == {69} and one.bad == 0 for one in told)


def test_a_small_file_tells_nothing_before_the_report() -> None:
    told: list[Progress] = []
    assert verify_history(dump(chain(3)), keyring=RING, on_progress=told.append).ok
    assert told == []


@pytest.mark.parametrize("after", [0, 1, 5])
def test_cancelling(data: bytes, after: int) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    with pytest.raises(VerificationCancelled) as caught:
        verify_history(data, keyring=RING, cancelled=cancelled)
    assert asked == after + 1
    assert "no verdict" in str(caught.value)
    assert caught.value.exit_code == 8
    assert SECRET.decode() not in repr(caught.value)


def test_cancelling_is_asked_for_at_least_every_block(data: bytes) -> None:
    asked: list[int] = []
    verify_history(data, keyring=RING, cancelled=lambda: bool(asked.append(0)))
    assert len(asked) >= len(data) // (1 << 17)


def test_progress_may_cancel(data: bytes) -> None:
    told: list[Progress] = []
    with pytest.raises(VerificationCancelled):
        scan_history(BytesSource(data), keyring=RING, on_progress=told.append, cancelled=lambda: bool(told))
    assert len(told) == 1


def test_asking_changes_nothing(data: bytes) -> None:
    told: list[Progress] = []
    watched = verify_history(data, keyring=RING, on_progress=told.append, cancelled=lambda: False)
    assert watched == verified(data)


def test_an_error_of_the_listener_is_not_swallowed(data: bytes) -> None:
    def broken(progress: Progress) -> None:
        raise RuntimeError("the screen is gone")

    with pytest.raises(RuntimeError, match="the screen is gone"):
        verify_history(data, keyring=RING, on_progress=broken)
