"""Timing of single operations within one process: ways in turn, so that a busy moment meets all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter_ns
from typing import Any

from harness import Result, Sample

Arguments = Iterable[tuple[Any, ...]]


@dataclass(frozen=True)
class Way:
    """One way of doing it: a function, and what gives the arguments of its next calls, without end."""

    call: Callable[..., Any]
    arguments: Arguments


@dataclass(frozen=True)
class Timed:
    """What one way took, in `unit`: the mean of each round, and each call that was timed by itself."""

    unit: str
    rounds: tuple[float, ...]
    calls: tuple[float, ...]

    @property
    def best(self) -> float:
        """The mean of the least disturbed round."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


def in_turn(
    ways: Mapping[str, Way],
    *,
    rounds: int,
    calls: int,
    block: int | None = None,
    clock: Callable[[], int] = perf_counter_ns,
) -> dict[str, Timed]:
    """Microseconds of each way. In a round each makes `calls` calls in one loop, and half as many timed singly.

    With `block` (for what takes longer than looking at the clock) all are timed singly, and the ways change every
    so many calls: a device that is busy for a moment is so for all. A first round does not count. `clock` (ns) times
    the loops; with that of the thread's processor a busy machine matters less.
    """
    means: dict[str, list[float]] = {name: [] for name in ways}
    single: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    sources = {name: iter(way.arguments) for name, way in ways.items()}
    for number in range(-1, rounds):
        turn = max(number, 0) % len(names)
        order = names[turn:] + names[:turn]  # nobody is always first
        if block is None:
            for name in order:
                mean = _together(ways[name].call, list(islice(sources[name], calls)), clock)
                each = _singly(ways[name].call, list(islice(sources[name], max(1, calls // 2))))
                if number >= 0:
                    means[name].append(mean)
                    single[name] += each
            continue
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(max(1, calls // block)):
            for name in order:
                found[name] += _singly(ways[name].call, list(islice(sources[name], block)))
        if number >= 0:
            for name in names:
                means[name].append(statistics.fmean(found[name]))
                single[name] += found[name]
    return {name: Timed("us", tuple(means[name]), tuple(single[name])) for name in names}


def _together(
    call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], clock: Callable[[], int]
) -> float:
    """The mean of calls in one loop, in us."""
    begun = clock()
    for each in arguments:
        call(*each)
    return (clock() - begun) / 1000 / max(1, len(arguments))


def _singly(call: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[float]:
    """Each call by itself, in us; the clock adds about 0.05 us."""
    found: list[float] = []
    note, clock = found.append, perf_counter_ns
    for each in arguments:
        begun = clock()
        call(*each)
        note((clock() - begun) / 1000)
    return found


def whole(unit: str, values: Iterable[float]) -> Timed:
    """What was measured once in each round."""
    found = tuple(values)
    return Timed(unit, found, found)


def milliseconds(call: Callable[[], Any]) -> float:
    """How long one call takes."""
    begun = perf_counter_ns()
    call()
    return (perf_counter_ns() - begun) / 1e6


def ratio(of: Timed, to: Timed) -> float:
    """The median of the ratios of each round."""
    return statistics.median(a / max(b, 1e-9) for a, b in zip(of.rounds, to.rounds, strict=True))


def add(
    result: Result,
    what: str,
    ours: Timed | None,
    *,
    peer: Timed | None = None,
    more_is_better: bool = False,
    comparable: bool = True,
    must: float | str | None = None,
    aim: float | str | None = None,
    note: str | None = None,
) -> None:
    """A row: ours, the peer's beside it, and how many times better ours is (the median of each round's ratio).

    Without `comparable` the two numbers stand beside each other, and `note` says why there is no ratio.
    """
    row: dict[str, Any] = {"what": what, "unit": (ours or peer or whole("", ())).unit}
    if ours is not None:
        row |= {"median": round(ours.median, 4), **_percentiles("", ours)}
    if peer is not None:
        row |= {"peer_median": round(peer.median, 4), **_percentiles("peer_", peer)}
    if comparable and ours is not None and peer is not None and min(peer.rounds) > 0:
        row["times_peer"] = round(ratio(ours, peer) if more_is_better else ratio(peer, ours), 2)
    row |= {"must": must, "aim": aim, "note": note}
    result.rows.append(row)


def _percentiles(prefix: str, timed: Timed) -> dict[str, Any]:
    found = Sample(timed.unit, timed.calls)
    return {
        f"{prefix}n": found.n,
        f"{prefix}rounds": len(timed.rounds),
        f"{prefix}p50": round(found.percentile(50), 4),
        f"{prefix}p99": round(found.percentile(99), 4),
        f"{prefix}least": round(min(timed.calls), 4),
        f"{prefix}most": round(max(timed.calls), 4),
    }
