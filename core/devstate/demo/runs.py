"""The runs of a demo workspace: sessions of its agents, in a database that is the same for a seed, byte for byte."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Final

from devstate.clock import parse_rfc3339
from devstate.durable import OS, Files
from devstate.engine import Database, RunId
from devstate.engine.snapshotting import SnapshotPolicy

from .dice import Dice
from .rows import Calendar
from .run_counts import check_runs
from .sessions import Session, goal_of
from .vocabulary import AGENTS, CHECKPOINTS, AgentPlan

__all__ = ["build_runs"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 3_600_000_000
# What becomes of the sessions, over and over: how it ends, and what is special in it. The second of a pair begins
# as the first one did, and then goes another way.
_PATTERN: Final = (
    ("completed", ""),
    ("completed", "pair"),
    ("failed", "second"),
    ("completed", "world"),
    ("paused", ""),
    ("completed", "child"),
    ("cancelled", ""),
    ("completed", "pair"),
    ("completed", "second"),
    ("failed", ""),
    ("completed", "child"),
    ("completed", ""),
)
_WHY: Final = {
    "failed": "contract/posting: 3 tests fail after the change",
    "cancelled": "another agent had done it already",
}


class _Moment:
    """A clock that stands where it is put: the time of a commit must not depend on who asks, and how often."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def build_runs(
    path: str | os.PathLike[str], *, runs: int, seed: int, entries: int = 120, files: Files = OS
) -> tuple[RunId, ...]:
    """Make a database at `path`, which must not exist, with so many runs (0 to 100,000); their identifiers.

    They lie within the times of a demo history of `entries` entries. Most are completed; of six or more the last
    one is left active by a process that is gone. Equal arguments give equal segments and snapshots. Raises
    UsageError, and what `Database.open` raises.
    """
    check_runs(runs)
    times = _times(runs, entries, seed)
    clock = _Moment(times[0])
    chance = Dice(f"devstate demo database {seed}")
    made: list[RunId] = []
    with Database.open(
        path,
        now=clock,
        entropy=chance.bytes,
        owner=(),
        # Snapshots at moments of our own: one from a thread would come when it comes.
        snapshots=SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1),
        files=files,
    ) as database:
        for number in range(runs):
            clock.at = times[number]
            room = times[number + 1] - times[number]
            made.append(_run(database, clock, seed, number, runs, room, made))
            if number == runs // 2:
                database.snapshot()
    return tuple(made)


def _run(
    database: Database, clock: _Moment, seed: int, number: int, runs: int, room: int, before: list[RunId]
) -> RunId:
    """One session, in at most `room` microseconds from the clock's time on."""
    ending, special = _PATTERN[number % len(_PATTERN)]
    if runs >= 6 and number == runs - 1:
        ending, special = "active", ""
    # The second of a pair takes the first one's dice for its first steps.
    shared = number - 1 if special == "second" else number
    dice = Dice(f"devstate demo run {seed} {shared}")
    agent: AgentPlan = AGENTS[5] if special == "world" else dice.pick(AGENTS)
    goal = goal_of(seed + shared, world=special == "world")
    session = Session(agent, goal, world=special == "world")
    # Eight to sixty with the beginning and the end; long ones are rare.
    steps = 6 + dice.between(0, 52) * dice.between(0, 52) // 53
    apart = steps // 2 if special == "second" else steps + 1
    run = database.begin_run(
        name=f"{goal.title} (again)" if special == "second" else goal.title,
        parent=before[number - 3] if special in ("child", "world") and number >= 3 else None,
        tags=("demo", agent.id),
        metadata={
            "agent": agent.id,
            "task": agent.task,
            "checkpoint": CHECKPOINTS[agent.cp],
            "session": number,
        },
    )
    own = Dice(f"devstate demo pace {seed} {number}")
    slice_of_room = room * 4 // 5 // (steps + 2)
    with database.transaction(run) as tx:
        session.begin(tx, dice)
    for step in range(1, steps + 1):
        seconds = own.between(2, 90)
        taken = min(seconds * 1_000_000 + own.between(0, 999_999), slice_of_room)
        clock.at += taken
        of = shared if step < apart else number
        with database.transaction(run) as tx:
            session.step(tx, Dice(f"devstate demo step {seed} {of} {step}"), step, steps, taken / 1e6)
    clock.at += slice_of_room // 8
    if ending == "paused":
        database.pause_run(run)
    elif ending != "active":
        with database.transaction(run) as tx:
            session.end(tx, ending, _WHY.get(ending))
            tx.end_run(ending, _WHY.get(ending))
    return run


def _times(runs: int, entries: int, seed: int) -> list[int]:
    """When each run begins, and where the last one must have ended: microseconds, ascending."""
    calendar = Calendar(entries)
    first, last = _micros(calendar.time(0, 0)), _micros(calendar.time(entries - 1, 0))
    if last - first < _HOUR:
        return [last - 8 * _HOUR + 8 * _HOUR * number // max(1, runs) for number in range(runs + 1)]
    times: list[int] = []
    for number in range(runs + 1):
        place, part = divmod((entries - 1) * number, max(1, runs))
        # Few runs begin at odd minutes; many need all the time there is.
        few = runs * 2 < entries and number < runs
        jitter = Dice(f"devstate demo time {seed} {number}").between(0, 99_999) if few else 0
        here = _micros(calendar.time(place, jitter))
        # Where there are more runs than entries, several share the time to the next entry, a night as well.
        there = _micros(calendar.time(min(place + 1, entries - 1), 0)) if runs >= entries else here
        times.append(here + (there - here) * part // max(1, runs))
    return times


def _micros(text: str) -> int:
    moment = parse_rfc3339(text)
    if moment is None:
        raise ValueError(f"not a time: {text!r}")
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000
