"""What the screens of the inspector share: they show the app's reading and get every new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters
from textual.app import ComposeResult
from textual.screen import Screen

from devstate_tui.widgets.key_bar import KeyBar
from devstate_tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.errors import DevStateError
    from devstate.workspace import Reading
    from devstate_tui.app import DevStateApp

__all__ = ["View"]


def _app_type() -> type[DevStateApp]:
    from devstate_tui.app import DevStateApp

    return DevStateApp


class View(Screen[None]):
    """A screen that renders readings: the status bar on top, `compose_body` in the middle, the keys below.

    `show`, `show_progress` and `show_error` are called on mounting when there is something to show, and then
    for each change.
    """

    MODE = ""
    OWN_BREAKS = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (24, "-medium"), (34, "-tall")]

    app = getters.app(_app_type)

    def compose(self) -> ComposeResult:
        yield StatusBar(self.MODE)
        yield from self.compose_body()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """The widgets between the status bar and the line of keys."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.watch(self.app, "progress", self._progress_changed)
        self.watch(self.app, "fault", self._fault_changed)
        self.watch(self.app, "reading", self._reading_changed)

    def _progress_changed(self, progress: Progress | None) -> None:
        if progress is not None:
            self.show_progress(progress)

    def _fault_changed(self, fault: DevStateError | None) -> None:
        if fault is not None:
            self.show_error(fault)

    def _reading_changed(self, reading: Reading | None) -> None:
        if reading is not None:
            self.show(reading)

    def show(self, reading: Reading) -> None:
        """Show this reading instead of the one before."""
        raise NotImplementedError

    def show_progress(self, progress: Progress) -> None:
        """A first scan of a large history has come this far."""

    def show_error(self, error: DevStateError) -> None:
        """Nothing can be read; say why. A later `show` means that it can be read again."""

    def reason_against(self, action_id: str) -> str | None:
        """Why an action of this screen cannot be done now, None where it can."""
        return None

    def reason_against_break(self) -> str | None:
        """With OWN_BREAKS: why there is none to go to, None where there is one."""
        return "there is none"

    def to_first_break(self) -> None:
        """With OWN_BREAKS: go to the first one."""

    async def action_run(self, action_id: str) -> None:
        """Run an action of the registry as its key would (for clicks on the line of keys)."""
        await self.app.run_registered(action_id)
