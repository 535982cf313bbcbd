"""The stream of readings: what happens on disk arrives, whole, in the end, and not more often than needed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import small_workspace as small
from devstate.durable import OS
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Reading, Workspace
from devstate.workspace import watching as watching_module

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"))
PATIENCE = 20.0
SETTLED = 0.4  # by then the watch has done its looking and waits for events


class Seen:
    """All readings of a watch, as they come."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.news = asyncio.Event()

    async def until(self, wanted: Callable[[Reading], bool]) -> Reading:
        """The latest reading, as soon as it is as wanted; fails when that does not happen."""
        async with asyncio.timeout(PATIENCE):
            while not (self.readings and wanted(self.readings[-1])):
                self.news.clear()
                await self.news.wait()
        return self.readings[-1]


@asynccontextmanager
async def watching(root: Path, db: str | None = None, files: Any = OS) -> AsyncIterator[Seen]:
    seen = Seen()
    stop = threading.Event()
    with Workspace.open(str(root), settings=SETTINGS, db=db, absent_ok=True, files=files) as workspace:

        async def follow() -> None:
            async for reading in workspace.watch(stop=stop):
                seen.readings.append(reading)
                seen.news.set()

        task = asyncio.create_task(follow())
        try:
            await seen.until(lambda reading: True)
            yield seen
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE)


def history_is(data: bytes) -> Callable[[Reading], bool]:
    return lambda reading: reading.history is not None and reading.history.sha256 == small.sha256(data)


def grown(root: Path, count: int) -> bytes:
    return small.history(count, small.sha256((root / small.STATE).read_bytes()))


@pytest.fixture(autouse=True)
def only_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look that is taken every few seconds: it would hide that an event was missed."""
    monkeypatch.setattr(watching_module, "_RECHECK_MS", 600_000)


async def test_a_change_arrives(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    async with watching(root) as seen:
        assert seen.readings[0].ok
        small.replace(root / small.HISTORY, grown(root, 4))
        reading = await seen.until(history_is(grown(root, 4)))
    assert reading.ok and reading.revision > seen.readings[0].revision


async def test_a_broken_byte_and_its_repair_arrive(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 6)
    good = (root / small.HISTORY).read_bytes()
    async with watching(root) as seen:
        (root / small.HISTORY).write_bytes(good.replace(b"step_3", b"step_X"))
        broken = await seen.until(lambda reading: not reading.ok)
        assert broken.chain is not None and broken.chain.first_bad == 3
        (root / small.HISTORY).write_bytes(good)
        assert (await seen.until(lambda reading: reading.ok)).chain is not None


async def test_two_hundred_replaces_end_with_the_last(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    versions = [grown(root, 3 + number % 7) for number in range(200)] + [grown(root, 11)]

    def write() -> None:
        for version in versions:
            small.replace(root / small.HISTORY, version)

    async with watching(root) as seen:
        await asyncio.to_thread(write)
        await seen.until(history_is(versions[-1]))
        # An atomic replace is never seen half done.
        assert all(reading.ok for reading in seen.readings)
        assert len(seen.readings) < 100


async def test_two_hundred_writes_in_place_end_with_the_last(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    # The same size each time, and within a tick of the clock: times and size say nothing.
    state = (root / small.STATE).read_bytes()
    versions = [state.replace(b"Build", b"Bui%02d" % (number % 100)) for number in range(200)]

    def write() -> None:
        for version in versions:
            (root / small.STATE).write_bytes(version)

    async with watching(root) as seen:
        await asyncio.to_thread(write)
        await seen.until(lambda reading: reading.state is not None and reading.state.raw == versions[-1])


async def test_two_hundred_removals_and_creations_end_with_the_last(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    versions = [grown(root, 3 + number % 5) for number in range(100)] + [grown(root, 9)]

    def write() -> None:
        for version in versions:
            (root / small.HISTORY).unlink()
            (root / small.HISTORY).write_bytes(version)

    async with watching(root) as seen:
        await asyncio.to_thread(write)
        reading = await seen.until(history_is(versions[-1]))
    assert reading.ok


async def test_a_steady_stream_of_writes_is_followed_at_a_walk(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 2000)  # a look takes longer than the time between two writes
    state = (root / small.STATE).read_bytes()
    versions = [state.replace(b"Build", b"Bui%03d" % number) for number in range(300)]

    async with watching(root) as seen:
        begun = asyncio.get_running_loop().time()
        for version in versions:
            small.replace(root / small.STATE, version)
            await asyncio.sleep(0.005)
        await seen.until(lambda reading: reading.state is not None and reading.state.raw == versions[-1])
        # At most ten looks a second, however long a busy machine takes for these writes.
        assert len(seen.readings) < 15 + 10 * (asyncio.get_running_loop().time() - begun)


async def test_a_file_system_with_a_coarse_clock(tmp_path: Path) -> None:
    """Where size and times stay the same, only the event tells."""
    root = small.make(tmp_path / "w", 3)

    class Coarse:
        def __getattr__(self, name: str) -> object:
            return getattr(OS, name)

        def stat(self, path: str, *, follow_symlinks: bool = True) -> os.stat_result:
            return timeless(OS.stat(path, follow_symlinks=follow_symlinks))

        def fstat(self, fd: int) -> os.stat_result:
            return timeless(OS.fstat(fd))

    def timeless(found: os.stat_result) -> os.stat_result:
        return os.stat_result((*found[:7], 0, 0, 0))

    async with watching(root, files=Coarse()) as seen:
        await asyncio.sleep(SETTLED)
        state = (root / small.STATE).read_bytes().replace(b"Build", b"Built")
        (root / small.STATE).write_bytes(state)
        await seen.until(lambda reading: reading.state is not None and reading.state.raw == state)


async def test_a_burst_is_one_reading(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    async with watching(root) as seen:
        before = len(seen.readings)
        for count in range(4, 9):
            small.replace(root / small.HISTORY, grown(root, count))
        await seen.until(history_is(grown(root, 8)))
        # The five replaces take a few milliseconds; a reading that began among them may be one more.
        assert len(seen.readings) - before <= 2


async def test_a_removed_file_is_told_and_comes_back(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    good = (root / small.HISTORY).read_bytes()
    async with watching(root) as seen:
        (root / small.HISTORY).unlink()
        gone = await seen.until(lambda reading: reading.history is None)
        assert "INPUT_MISSING" in [finding.code for finding in gone.findings]
        (root / small.HISTORY).write_bytes(good)
        assert (await seen.until(history_is(good))).ok


async def test_the_folder_may_appear_later(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    async with watching(root) as seen:
        assert seen.readings[0].unreadable
        small.make(root, 4)
        assert (await seen.until(lambda reading: reading.ok)).state is not None
        await asyncio.sleep(SETTLED)
        small.replace(root / small.HISTORY, grown(root, 6))
        await seen.until(history_is(grown(root, 6)))


async def test_even_the_root_may_appear_later(tmp_path: Path) -> None:
    root = tmp_path / "a/b/w"
    async with watching(root) as seen:
        assert seen.readings[0].unreadable
        small.make(root, 4)
        await seen.until(lambda reading: reading.ok)


async def test_the_folder_may_go_and_be_another(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    other = small.make(tmp_path / "other", 5)
    async with watching(root) as seen:
        (root / ".trae").rename(tmp_path / "away")
        await seen.until(lambda reading: reading.unreadable)
        (other / ".trae").rename(root / ".trae")
        await seen.until(lambda reading: reading.chain is not None and reading.chain.entries == 5)
        await asyncio.sleep(SETTLED)
        small.replace(root / small.HISTORY, grown(root, 6))  # in the new folder, not the one of before
        await seen.until(history_is(grown(root, 6)))


async def test_the_folder_may_be_exchanged_in_an_instant(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    other = small.make(tmp_path / "other", 5)
    async with watching(root) as seen:
        await asyncio.sleep(SETTLED)
        (root / ".trae").rename(tmp_path / "away")
        (other / ".trae").rename(root / ".trae")
        await seen.until(lambda reading: reading.chain is not None and reading.chain.entries == 5)
        await asyncio.sleep(SETTLED)
        small.replace(root / small.HISTORY, grown(root, 6))
        await seen.until(history_is(grown(root, 6)))


async def test_what_makes_no_difference_is_not_told(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    async with watching(root) as seen:
        small.replace(root / small.HISTORY, (root / small.HISTORY).read_bytes())
        (root / ".trae/.lock").write_bytes(b"")
        (root / "unrelated.txt").write_bytes(b"x")
        await asyncio.sleep(0.4)
        assert len(seen.readings) == 1
        small.replace(root / small.HISTORY, grown(root, 5))
        await seen.until(history_is(grown(root, 5)))
        assert len(seen.readings) == 2


@pytest.mark.parametrize("part", ["wal", "snapshots"])
async def test_the_files_of_the_store_are_watched(tmp_path: Path, part: str) -> None:
    root = small.make(tmp_path / "w", 3)
    folder = root / ".trae/store"
    (folder / "wal").mkdir(parents=True)
    async with watching(root) as seen:
        first = seen.readings[0].store
        (folder / part).mkdir(exist_ok=True)
        (folder / part / "000001").write_bytes(b"one")
        second = (await seen.until(lambda reading: reading.store.version != first.version)).store
        with (folder / part / "000001").open("ab") as file:
            file.write(b"two")
        await seen.until(lambda reading: reading.store.version not in (first.version, second.version))


async def test_a_database_elsewhere_is_watched(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    (tmp_path / "db/wal").mkdir(parents=True)
    async with watching(root, db=str(tmp_path / "db")) as seen:
        first = seen.readings[0].store
        assert first.path == str(tmp_path / "db")
        (tmp_path / "db/wal/1").write_bytes(b"one")
        await seen.until(lambda reading: reading.store.version != first.version)


async def test_a_stopped_watch_ends(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    stop = threading.Event()
    stop.set()
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        assert [reading async for reading in workspace.watch(stop=stop)] == []


async def test_a_watch_may_be_left_in_the_middle(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    before = threading.active_count()
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        stream = workspace.watch()
        async for _ in stream:
            break
        waiting = asyncio.ensure_future(anext(stream))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.get_running_loop().shutdown_default_executor()
    assert threading.active_count() <= before


async def test_progress_of_a_large_history_is_told(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3000)
    told: list[int] = []
    stop = threading.Event()
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        async for _ in workspace.watch(stop=stop, on_progress=lambda progress: told.append(progress.entries)):
            stop.set()
    assert told and told == sorted(told)
