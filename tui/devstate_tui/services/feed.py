"""The feed: turns what happens on disk into messages for the app. Runs in a thread of its own.

A workspace that is not there, or cannot be read, is told once for each reason; the feed waits for a change on
disk and tries again, so that the inspector recovers by itself.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from devstate_tui.messages import IndexGrew, ReadingArrived, ReadingStarted, WatchFailed

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.clock import Clock
    from devstate.errors import DevStateError
    from devstate.settings import Settings
    from devstate.workspace import Workspace

__all__ = ["Feed"]

_TELL_EACH = 0.1  # seconds


class Feed:
    """Follows one workspace until `stop`. `post` must be callable from any thread."""

    def __init__(
        self,
        root: str | None,
        *,
        settings: Settings | None,
        db: str | None,
        clock: Clock,
        post: Callable[[Message], object],
    ) -> None:
        self._root = root
        self._settings = settings
        self._db = db
        self._clock = clock
        self._post = post
        self._stop = threading.Event()
        self._told_at = 0.0
        self.workspace: Workspace | None = None

    def stop(self) -> None:
        """End soon: `run` returns."""
        self._stop.set()

    def run(self) -> None:
        """Follow the workspace; returns after `stop`."""
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        from devstate.errors import DevStateError

        told = ""
        while not self._stop.is_set():
            try:
                await self._follow_workspace()
            except DevStateError as error:
                if str(error) != told:
                    told = str(error)
                    self._post(WatchFailed(error))
                await self._something_changed(error)
            else:
                told = ""

    async def _follow_workspace(self) -> None:
        from devstate.workspace import Workspace

        with Workspace.open(
            self._root, settings=self._settings, db=self._db, clock=self._clock, absent_ok=True
        ) as workspace:
            self.workspace = workspace
            self._post(ReadingStarted(workspace))
            async for reading in workspace.watch(stop=self._stop, on_progress=self._progressed):
                self._post(ReadingArrived(reading))

    def _progressed(self, progress: Progress) -> None:
        # Drawing takes the same processor as reading: ten pictures a second are as many as an eye can use.
        now = time.monotonic()
        if now - self._told_at >= _TELL_EACH:
            self._told_at = now
            self._post(IndexGrew(progress))

    async def _something_changed(self, error: DevStateError) -> None:
        """Wait until something changes in the nearest folder that is there."""
        from watchfiles import awatch

        folder = os.path.abspath(error.path or self._root or os.curdir)
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        try:
            async for _ in awatch(folder, stop_event=self._stop, debounce=100, step=20, recursive=False):
                return
        except OSError:
            # A folder that cannot even be watched: look now and then.
            await asyncio.to_thread(self._stop.wait, 1.0)
