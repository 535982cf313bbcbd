"""The app: which screen is shown, what the screens show, and what happens when something goes wrong."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, SystemCommand
from textual.command import Provider
from textual.content import Content
from textual.reactive import var
from textual.screen import Screen

from devstate.clock import SYSTEM, Clock
from devstate.errors import DevStateError

from . import messages
from .actions import ACTIONS, Action, bindings
from .config import UserFolders, user_folders
from .keymap import Keymap
from .layout import Layout, save_layout
from .preferences import load_preferences

if TYPE_CHECKING:
    from devstate.chain import Progress
    from devstate.findings import Finding
    from devstate.settings import Settings
    from devstate.workspace import Reading, Workspace

    from .screens.view import View
    from .services.feed import Feed
    from .services.run_reader import RunReader

__all__ = ["DevStateApp"]

_KNOWN = {action.id: action for action in ACTIONS}


def _overview() -> Screen[Any]:
    from .screens.overview import OverviewScreen

    return OverviewScreen()


def _chain() -> Screen[Any]:
    from .screens.chain import ChainScreen

    return ChainScreen()


def _runs() -> Screen[Any]:
    from .screens.runs import RunsScreen

    return RunsScreen()


def _wal() -> Screen[Any]:
    from .screens.wal import WalScreen

    return WalScreen()


def _action_commands() -> type[Provider]:
    from .commands import ActionCommands

    return ActionCommands


def _finding_commands() -> type[Provider]:
    from .commands import FindingCommands

    return FindingCommands


class DevStateApp(App[int]):
    """The inspector of one workspace.

    `reading`, `progress` and `fault` are what the screens watch: the last reading, how far a scan has come,
    and why nothing can be read. `workspace` is None until the feed has opened it. `folders` are the user's
    own; `layout_kept` is what is remembered between starts (`remember_size` changes it).
    """

    TITLE = "DevState"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "overview": _overview,
        "chain": _chain,
        "runs": _runs,
        "wal": _wal,
    }
    DEFAULT_MODE = "overview"
    BINDINGS = bindings("app")
    CSS = """
    CommandPalette SearchIcon { display: none; }
    * {
        scrollbar-background: $surface;
        scrollbar-background-hover: $surface;
        scrollbar-background-active: $surface;
        scrollbar-corner-color: $surface;
    }
    """
    COMMANDS = {_action_commands, _finding_commands}

    reading: var[Reading | None] = var(None, always_update=True)
    progress: var[Progress | None] = var(None, always_update=True)
    fault: var[DevStateError | None] = var(None, always_update=True)

    def __init__(
        self,
        root: str | None = None,
        *,
        settings: Settings | None = None,
        db: str | None = None,
        demo: bool = False,
        environ: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM,
        on_first_picture: Callable[[], None] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        # Under NO_COLOR the terminal's own colours are kept, instead of a picture in shades of grey.
        super().__init__(ansi_color=True if environ.get("NO_COLOR") else None)
        self.root = root
        self.demo = demo
        self.workspace: Workspace | None = None
        self.folders: UserFolders = user_folders(environ)
        self._settings = settings
        self._db = db
        self._clock = clock
        self._on_first_picture = on_first_picture
        self._feed: Feed | None = None
        self._runs: RunReader | None = None
        chosen = settings.tui if settings is not None else None
        preferences = load_preferences(self.folders, chosen, frozenset(self.available_themes))
        for theme in preferences.themes:
            self.register_theme(theme)
        self.theme = preferences.theme
        self.keymap: Keymap = preferences.keymap
        self.layout_kept: Layout = preferences.layout
        self._layout_on_disk = preferences.layout
        self._problems = preferences.problems

    # -- beginning and end -------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.set_keymap(self.keymap.as_textual())
        if self.layout_kept.mode in self.MODES and self.layout_kept.mode != self.DEFAULT_MODE:
            self.call_later(self.action_show, self.layout_kept.mode)
        self.call_after_refresh(self._start_feed)

    def _start_feed(self) -> None:
        """Begin to read; only now, so that the first picture never waits for a file."""
        from .services.feed import Feed

        if self._on_first_picture is not None:
            self._on_first_picture()
        self._feed = Feed(
            self.root, settings=self._settings, db=self._db, clock=self._clock, post=self.post_message
        )
        self.run_worker(self._feed.run, thread=True, group="feed", exclusive=True)
        for problem in self._problems:
            self.notify(
                str(problem), title="Your configuration", severity="warning", timeout=15, markup=False
            )

    def on_unmount(self) -> None:
        if self._feed is not None:
            self._feed.stop()
        if self.reading is not None:
            self.reading.close()
        if self._runs is not None:
            self._runs.close()
        self._keep_layout()

    def _keep_layout(self) -> None:
        layout = replace(self.layout_kept, mode=self.current_mode, theme=self.theme)
        if layout == self._layout_on_disk:
            return
        try:
            save_layout(self.folders.data, layout)
        except DevStateError:
            return  # a home that cannot be written to costs the layout, nothing else

    def remember_size(self, panel: str, size: int) -> None:
        """Keep the size of a panel, in cells, for the next start."""
        self.layout_kept = replace(self.layout_kept, sizes={**self.layout_kept.sizes, panel: size})

    @property
    def db_folder(self) -> str:
        """The folder of the database that is shown, or where it would be."""
        if self.reading is not None:
            return self.reading.store.path or self._db or os.path.join(self.reading.root, ".trae", "store")
        return self._db or os.path.join(os.path.abspath(self.root or os.curdir), ".trae", "store")

    @property
    def record_command(self) -> str:
        """The command line that records a command as a run of the database that is shown."""
        chosen = f" --db {shlex.quote(self._db)}" if self._db else ""
        return f"devstate run record{chosen} -- CMD"

    def run_reader(self, folder: str) -> RunReader:
        """The one reader of the runs in a database folder; a database is held in memory once."""
        from .services.run_reader import RunReader

        if self._runs is None or self._runs.root != folder:
            if self._runs is not None:
                self._runs.close()
            self._runs = RunReader(folder)
        return self._runs

    # -- what the feed tells -----------------------------------------------------------------------

    def on_reading_started(self, message: messages.ReadingStarted) -> None:
        self.workspace = message.workspace

    def on_reading_arrived(self, message: messages.ReadingArrived) -> None:
        self.fault = None
        self.progress = None
        self.reading = message.reading
        self.refresh_bindings()

    def on_index_grew(self, message: messages.IndexGrew) -> None:
        self.progress = message.progress

    def on_watch_failed(self, message: messages.WatchFailed) -> None:
        self.progress = None
        self.fault = message.error

    # -- what screens and widgets ask for ----------------------------------------------------------

    async def on_open_screen(self, message: messages.OpenScreen) -> None:
        await self.action_show(message.mode)

    async def on_open_entry(self, message: messages.OpenEntry) -> None:
        await self.open_entry(message.index)

    async def on_open_finding(self, message: messages.OpenFinding) -> None:
        from .screens.dialogs.detail import finding_dialog

        self._show_detail(finding_dialog(message.finding))

    async def open_entry(self, index: int) -> None:
        """Show the Chain with this entry selected."""
        from .screens.chain import ChainScreen

        await self.action_show("chain")
        if isinstance(self.screen, ChainScreen):
            self.screen.select_entry(index)

    def show_text(self, title: str, text: str) -> None:
        """Show an explanation in a dialog."""
        from .screens.dialogs.detail import DetailDialog

        self._show_detail(DetailDialog(title, Content(text)))

    def show_artifacts(self) -> None:
        """Show the listed artifacts in a dialog."""
        from .screens.dialogs.artifacts import ArtifactsDialog

        if self.reading is not None:
            self.push_screen(ArtifactsDialog(self.reading.artifacts))

    @work
    async def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show findings of one kind in a dialog; one that is opened leads back to the list."""
        from .screens.dialogs.detail import finding_dialog
        from .screens.dialogs.findings import FindingsDialog

        root = self.reading.root if self.reading is not None else ""
        at: int | None = 0
        while at is not None:
            at = (await self.push_screen_wait(FindingsDialog(findings, root, at))).index
            if at is not None:
                shown = await self.push_screen_wait(finding_dialog(findings[at]))
                if shown.entry is not None:
                    await self.open_entry(shown.entry)
                    return

    @work
    async def _show_detail(self, dialog: Any) -> None:
        outcome = await self.push_screen_wait(dialog)
        if outcome.entry is not None:
            await self.open_entry(outcome.entry)

    # -- actions -----------------------------------------------------------------------------------

    def reason_against(self, action_id: str) -> str | None:
        """Why an action of the registry cannot be done now, None where it can."""
        chain = self.reading.chain if self.reading is not None else None
        if action_id == "app.verify" and self.workspace is None:
            return "no workspace is open yet"
        if action_id == "app.first_break":
            own = self._own_breaks()
            if own is not None:
                return own.reason_against_break()
            if chain is None:
                return "no history could be read"
            if chain.first_bad is None:
                return "every entry verifies, there is no break"
        if _KNOWN[action_id].mutating:
            return "the inspector is read-only"
        shown = self.screen_stack[0] if self.screen_stack else None
        own = getattr(shown, "reason_against", None)
        return None if own is None else own(action_id)

    def _own_breaks(self) -> View | None:
        """The screen that is shown, where it has breaks other than those of the chain."""
        shown = self.screen_stack[0] if self.screen_stack else None
        return shown if getattr(shown, "OWN_BREAKS", False) else None  # type: ignore[return-value]

    async def run_registered(self, action_id: str) -> None:
        """Run an action of the registry by its id, where it belongs: the app, or the screen that is shown."""
        action = _KNOWN[action_id]
        owner = self._owner_of(action)
        if owner is not None:
            await self.run_action(action.call, owner)

    def _owner_of(self, action: Action) -> Any:
        if action.scope == "app":
            return self
        if "." not in action.scope:
            return self.screen
        return self.screen.focused

    def _refused(self, action_id: str) -> bool:
        reason = self.reason_against(action_id)
        if reason is not None:
            self.notify(reason[0].upper() + reason[1:] + ".", title=_KNOWN[action_id].label.capitalize())
        return reason is not None

    async def action_show(self, mode: str) -> None:
        await self.switch_mode(mode)

    async def action_first_break(self) -> None:
        if self._refused("app.first_break"):
            return
        own = self._own_breaks()
        if own is not None:
            own.to_first_break()
        if own is not None or self.reading is None or self.reading.chain is None:
            return
        await self.open_entry(self.reading.chain.first_bad or 0)

    @work
    async def action_verify(self) -> None:
        from .screens.dialogs.verify import VerifyDialog

        if self._refused("app.verify") or self.workspace is None:
            return
        outcome = await self.push_screen_wait(VerifyDialog(self.workspace))
        if outcome.entry is not None:
            await self.open_entry(outcome.entry)

    def action_help(self) -> None:
        from .screens.dialogs.help import HelpDialog

        self.push_screen(HelpDialog(self.current_mode))

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Save a picture of the screen, in the user's folder for downloads where there is one."""
        from .screenshots import screenshot_folder

        try:
            saved = self.save_screenshot(filename, path or screenshot_folder(self.folders))
        except (OSError, DevStateError) as error:
            self.notify(f"The picture could not be saved: {error}", severity="warning", markup=False)
        else:
            self.notify(f"Saved {saved}", title="Screenshot", markup=False)

    @work(thread=True, group="read-again", exclusive=True)
    def action_read_again(self) -> None:
        if self.workspace is not None:
            self.post_message(messages.ReadingArrived(self.workspace.read()))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """None: the palette is made of the registry."""
        return ()

    # -- failing -----------------------------------------------------------------------------------

    def _fatal_error(self) -> None:
        """Textual would print a traceback with every local variable."""
        from .crash import crash_message

        error = self._exception
        self._exit_renderables.append(Text(crash_message(error or RuntimeError())))
        self._close_messages_no_wait()

    def _handle_exception(self, error: Exception) -> None:
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._fatal_error()
