"""Several processes give the very report that one gives, whatever is wrong with the file and where."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable

import pytest

from chain_samples import RING, SECRET, chain, changed, dump, mac, same, signed, verified
from devstate.chain import (
    BytesSource,
    ChainContext,
    Key,
    Keyring,
    Layout,
    Limits,
    VerificationCancelled,
    format_history,
    parallel,
    scan_history,
    verify_history,
)
from devstate.chain.conclusion import conclude
from devstate.chain.framing import plan_ranges
from devstate.chain.parallel import judge_in_parallel
from devstate.settings import Secret

COUNT = 120
CONTEXT = ChainContext(state_bytes=b"state 57", now="2030-01-01T00:00:00Z", agents=frozenset({"AGENT_2"}))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for every 4 KiB, so that a small file is divided."""
    monkeypatch.setattr(parallel, "_WORTH_A_PROCESS", 1 << 12)


def middle(data: bytes, count: int = 2) -> int:
    """The number of the entry with which the second process begins."""
    source = BytesSource(data)
    return data[: plan_ranges(source, count)[1].start].count(b'"hmac_prev"')


def divided(data: bytes, jobs: int, ring: Keyring | None = RING, limits: Limits | None = None) -> bool:
    """Whether the file is judged in parts, rather than sent back to one process."""
    made = judge_in_parallel(
        BytesSource(data), ring, CONTEXT, limits or Limits(), None, jobs, None, None, digested=False
    )
    return made is not None


def compare(data: bytes, ring: Keyring | None = RING, limits: Limits | None = None) -> None:
    one = verified(data, ring, context=CONTEXT, limits=limits)
    for jobs in (2, 3):
        same(verified(data, ring, context=CONTEXT, limits=limits, jobs=jobs), one)


HONEST = chain(COUNT)
BORDER = middle(dump(HONEST))

FAULTS: dict[str, Callable[[int], bytes]] = {
    "a covered field": lambda i: dump(changed(HONEST, i, actor="EVIL")),
    "an uncovered field": lambda i: dump(changed(HONEST, i, cp_to="CP9-X")),
    "an entry removed": lambda i: dump([*HONEST[:i], *HONEST[i + 1 :]]),
    "an entry repeated": lambda i: dump([*HONEST[: i + 1], *HONEST[i:]]),
    "two entries swapped": lambda i: dump([*HONEST[: i - 1], HONEST[i], HONEST[i - 1], *HONEST[i + 1 :]]),
    "a time before": lambda i: dump(signed(changed(HONEST, i, ts="2024-01-01T00:00:00.5+02:00"))),
    "no time": lambda i: dump(signed(changed(HONEST, i, ts="soon"))),
    "a time to come": lambda i: dump(signed(changed(HONEST, i, ts="2040-01-01T00:00:00Z"))),
    "an uppercase HMAC": lambda i: dump(changed(HONEST, i, hmac=HONEST[i]["hmac"].upper())),
    "an empty link": lambda i: dump(changed(HONEST, i, hmac_prev="")),
    "a link that is no HMAC": lambda i: dump(changed(HONEST, i, hmac_prev="genesis")),
    "a null link": lambda i: dump(changed(HONEST, i, hmac_prev=None)),
    "an unknown member": lambda i: dump(changed(HONEST, i, extra=[1])),
    "a lone actor": lambda i: dump(signed(changed(HONEST, i, actor="AGENT_", action="1step"))),
    "no actor": lambda i: dump(signed(changed(HONEST, i, actor="", action="AGENT_1step"))),
    "a control character": lambda i: dump(signed(changed(HONEST, i, action="a\x1b[2Jb"))),
    "one member twice": lambda i: dump(HONEST).replace(
        b'"action": "step_%d"' % i, b'"action": "x", "action": "step_%d"' % i
    ),
    "a number": lambda i: dump([*HONEST[:i], 5, *HONEST[i:]]),
    "a lost quote": lambda i: dump(HONEST).replace(b'"step_%d",' % i, b'"step_%d,' % i),
    "a lost comma": lambda i: dump(HONEST).replace(
        b'    },\n    {\n        "ts": "%b"' % HONEST[i]["ts"].encode(),
        b'    }\n    {\n        "ts": "%b"' % HONEST[i]["ts"].encode(),
    ),
    "a byte that is no UTF-8": lambda i: dump(HONEST).replace(b'"step_%d"' % i, b'"step\xff%d"' % i),
    "another layout inside": lambda i: dump(HONEST).replace(
        b'"action": "step_%d"' % i, b'"action":"step_%d"' % i
    ),
    "a metadata that looks like a border": lambda i: dump(
        signed(changed(HONEST, i, metadata={"a": "\n    },\n    {\n"}))
    ),
    "a list that looks like entries": lambda i: dump(
        signed(changed(HONEST, i, metadata={"a": [{"b": 1}, {"c": 2}]}))
    ),
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "fault", [pytest.param(one, marks=[pytest.mark.long] if at % 2 else []) for at, one in enumerate(FAULTS)]
)
def test_the_report_does_not_tell_the_number_of_processes(fault: str) -> None:
    for index in (0, BORDER - 1, BORDER, BORDER + 1, COUNT - 1):
        if fault != "two entries swapped" or index:
            compare(FAULTS[fault](index))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "data",
    [
        dump(HONEST),
        dump(HONEST) + b"\n",
        dump(HONEST) + b"\n\n  \n",
        dump(HONEST) + b"x",
        dump(HONEST)[:-1],
        dump(HONEST)[:-300],
        dump(HONEST, None),
        dump(HONEST, 2),
        dump({"entries": HONEST}),
        dump({"entries": HONEST, "version": 1}),
        dump({"version": 1, "entries": HONEST}),
        dump(HONEST).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + dump(HONEST),
        dump(HONEST[1:]),
        dump([]),
        b"",
        b"[" * 5000,
        format_history(HONEST, Layout("entries", 2)),
        format_history(HONEST, Layout("array", 1)),
        format_history(HONEST, Layout("array", -1)),
        format_history(HONEST, Layout("array", 4, "\r\n")),
        format_history(HONEST, Layout("entries", 2, "\r\n")) + b"\r\n",
    ],
    ids=range(22),
)
def test_the_whole_file_in_any_form(data: bytes) -> None:
    compare(data)
    compare(data, None)


@pytest.mark.usefixtures("small")
def test_regular_files_are_divided() -> None:
    """Without this the comparisons would compare one process with itself."""
    assert divided(dump(HONEST), 2)
    assert divided(dump(HONEST), 3)
    assert divided(FAULTS["a covered field"](BORDER), 2)
    assert divided(FAULTS["an entry removed"](BORDER), 2)
    assert divided(FAULTS["one member twice"](BORDER), 2)
    assert divided(format_history(HONEST, Layout("entries", 2)), 2)
    assert not divided(dump(HONEST), 1)
    assert divided(dump(HONEST, None), 2)
    assert not divided(dump(HONEST).replace(b"    ", b"\t"), 2)
    assert not divided(FAULTS["a lost quote"](BORDER), 2)


def test_a_small_file_is_not_worth_a_process() -> None:
    assert not divided(dump(HONEST), 2)


@pytest.mark.usefixtures("small")
def test_no_process_is_started_beside_other_threads() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not divided(dump(HONEST), 2)
        compare(dump(HONEST))
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("small")
def test_other_keys_and_limits() -> None:
    later = b"the secret of the later entries"
    rotated = HONEST[:BORDER]
    for members in HONEST[BORDER:]:
        fresh = members | {"hmac_prev": rotated[-1]["hmac"]}
        rotated.append(fresh | {"hmac": mac(fresh, later)})
    ring = Keyring((Key("first", Secret(SECRET)), Key("second", Secret(later), status="retired")))
    compare(dump(rotated), ring)
    compare(dump(rotated), Keyring((ring.keys[1], ring.keys[0])))
    compare(dump(HONEST), Keyring.of(later))
    many = [members | {"actor": "EVIL"} for members in HONEST]
    for cap in (1, 2, 59, 60, 61, COUNT - 1, COUNT):
        compare(dump(many), limits=Limits(findings_per_code=cap))
    compare(dump(HONEST), limits=Limits(depth=6))


@pytest.mark.usefixtures("small")
def test_random_tampering() -> None:
    dice = random.Random("parallel")
    honest = dump(HONEST)
    for _ in range(20):
        data = honest
        for _ in range(dice.choice((1, 2, 5))):
            at = dice.randrange(len(data))
            piece = dice.choice([b"", b'"', b"}", b"{", b"\\", b"\n", b"0", b"\x80", b" "])
            data = data[:at] + piece + data[at + dice.choice((0, 1, 3)) :]
        compare(data)


@pytest.mark.usefixtures("small")
def test_the_index_of_parts_is_that_of_the_whole() -> None:
    data = dump(changed(HONEST, BORDER, extra=1))
    source = BytesSource(data)
    latest = "2030-01-01T00:05:00"
    made = judge_in_parallel(source, RING, CONTEXT, Limits(), latest, 3, None, None, digested=True)
    assert made is not None
    sequential = scan_history(source, keyring=RING, context=CONTEXT)
    assert len(made.index) == COUNT
    assert made.index.entries(0, COUNT, source) == sequential.index.entries(0, COUNT, source)
    same(conclude(made, RING, CONTEXT, Limits()), sequential.report)


@pytest.mark.usefixtures("small")
def test_cancelling_ends_every_process() -> None:
    calls = iter(range(10**6))

    def cancelled() -> bool:
        return next(calls) >= 1

    with pytest.raises(VerificationCancelled):
        verify_history(dump(HONEST * 20), keyring=RING, jobs=3, cancelled=cancelled)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.usefixtures("small")
def test_a_process_that_dies_costs_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    true_work = parallel._judge_range

    def work(*arguments: object, **named: object) -> object:
        if os.getpid() != parent:
            os._exit(7)
        return true_work(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(parallel, "_judge_range", work)
    data = dump(changed(HONEST, COUNT - 1, actor="EVIL"))
    same(verified(data, jobs=2), verified(data))
    assert verified(data, jobs=2).first_bad == COUNT - 1


@pytest.mark.usefixtures("small")
def test_no_descriptor_is_left() -> None:
    before = sorted(os.listdir("/dev/fd"))
    verified(dump(HONEST), jobs=3)
    assert sorted(os.listdir("/dev/fd")) == before


BIG = 24_000


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["honest", "tampered", "border", "noncanonical", "compact", "damaged", "all bad"]
)
def test_large_files(kind: str) -> None:
    """More than twice what is worth a process, so that nothing needs to be lowered."""
    entries = chain(BIG)
    data = dump(entries)
    assert len(data) > 2 * parallel._WORTH_A_PROCESS
    border = middle(data)
    if kind == "tampered":
        for index in range(0, BIG, 997):
            entries = changed(entries, index, actor="EVIL")
        data = dump(entries)
    elif kind == "border":
        data = dump([*entries[:border], *entries[border + 1 :]])
    elif kind == "noncanonical":
        data = data.replace(b'"actor": ', b'"actor" : ')
    elif kind == "compact":
        data = format_history(entries, Layout("array", -1))
    elif kind == "damaged":
        data = data.replace(b'"step_15000",', b'"step_15000,')
    elif kind == "all bad":
        data = dump([members | {"action": "EVIL"} for members in entries])
    compare(data)
    assert divided(data, 2) == (kind != "damaged" and len(data) >= 2 * parallel._WORTH_A_PROCESS)
