"""The app: which screen is shown, what they show, and what happens when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App
from textual.reactive import var
from textual.screen import Screen

from . import messages
from .actions import bindings

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.errors import DevStateError
    from devstate.workspace import Reading, Workspace


def _overview() -> Screen[Any]:
    from .screens.overview import OverviewScreen

    return OverviewScreen()


def _chain() -> Screen[Any]:
    from .screens.chain import ChainScreen

    return ChainScreen()


class DevStateApp(App[int]):
    """The inspector of one workspace.

    `reading`, `progress` and `fault` are what the screens watch: the last reading, how far a scan has come, and
    why nothing can be read. `workspace` is None until the feed has opened it.
    """

    TITLE = "DevState"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {"overview": _overview, "chain": _chain}
    DEFAULT_MODE = "overview"
    BINDINGS = bindings("app")
    ENABLE_COMMAND_PALETTE = True

    reading: var[Reading | None] = var(None, always_update=True)
    progress: var[Progress | None] = var(None, always_update=True)
    fault: var[DevStateError | None] = var(None, always_update=True)

    def __init__(self, root: str | None = None) -> None:
        super().__init__()
        self.root = root
        self.workspace: Workspace | None = None

    # -- what the feed tells -----------------------------------------------------------------------

    def on_reading_arrived(self, message: messages.ReadingArrived) -> None:
        self.fault = None
        self.progress = None
        self.reading = message.reading

    def on_index_grew(self, message: messages.IndexGrew) -> None:
        self.progress = message.progress

    def on_watch_failed(self, message: messages.WatchFailed) -> None:
        self.fault = message.error

    # -- what screens and widgets ask for ----------------------------------------------------------

    async def on_open_screen(self, message: messages.OpenScreen) -> None:
        await self.action_show(message.mode)

    async def on_open_entry(self, message: messages.OpenEntry) -> None:
        """Show the Chain with this entry selected: `ChainScreen.select_entry(index)`."""
        await self.action_show("chain")
        select = getattr(self.screen, "select_entry", None)
        if select is not None:
            select(message.index)

    async def action_show(self, mode: str) -> None:
        await self.switch_mode(mode)
