"""The two lines on top of every screen: whose state this is, the permanent badges, and the screens."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from textual import getters
from textual.content import Content
from textual.widget import Widget

from devstate.clock import parse_rfc3339
from devstate.findings import shortened
from devstate_tui.actions import SCREENS

from .fitting import cell_len, fit

if TYPE_CHECKING:
    from devstate_tui.app import DevStateApp

__all__ = ["StatusBar", "clock_time"]

_WIDE = 70


def _app_type() -> type[DevStateApp]:
    from devstate_tui.app import DevStateApp

    return DevStateApp


class StatusBar(Widget):
    """Reads the app's last reading; redrawn when that changes, never by a timer."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    StatusBar {
        dock: top;
        height: 2;
        background: $panel;
        padding: 0 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        link-style: none;
        link-style-hover: bold;
        link-background-hover: $panel;
    }
    """

    app = getters.app(_app_type)

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def on_mount(self) -> None:
        for name in ("reading", "progress", "fault"):
            self.watch(self.app, name, self._changed, init=False)

    def _changed(self) -> None:
        self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        badges = Content("  ").join(self._badges())
        return Content("\n").join([self._first_line(width, badges), self._second_line(width)])

    def _first_line(self, width: int, badges: Content) -> Content:
        project, checkpoint = self._subject()
        room = width - badges.cell_length - len("DevState") - 4
        name = fit(project, min(cell_len(project), max(0, room))) if room > 3 else ""
        room -= cell_len(name) + 2
        shown = f"  {checkpoint}" if checkpoint and room >= cell_len(checkpoint) else ""
        left = Content.assemble(("DevState", "bold $accent"), ("  ", ""), (name, "bold"), shown)
        gap = max(2, width - left.cell_length - badges.cell_length)
        return Content.assemble(left, " " * gap, badges)

    def _second_line(self, width: int) -> Content:
        tabs = Content("")
        for number, (mode, name) in enumerate(SCREENS, 1):
            label = Content.from_markup(f"[@click=app.show('{mode}')]{number} {name}[/]")
            tabs += label.stylize("bold reverse" if mode == self.mode else "$text-muted") + Content("  ")
        room = width - tabs.cell_length
        path = self._path()
        if cell_len(path) > room:
            path = fit("…" + path[-(room - 1) :], room) if room > 12 else ""
        return Content.assemble(tabs, " " * max(0, room - cell_len(path)), (path, "$text-muted"))

    def _subject(self) -> tuple[str, str]:
        reading = self.app.reading
        if reading is None or reading.state is None or reading.state.document is None:
            return (os.path.basename(self.app.root or os.getcwd()) or "/", "")
        document = reading.state.document
        return shortened(document.project, 60), shortened(document.current_cp, 16)

    def _path(self) -> str:
        reading = self.app.reading
        root = reading.root if reading is not None else os.path.abspath(self.app.root or os.getcwd())
        home = self.app.folders.home
        shown = "~" + root[len(home) :] if root == home or root.startswith(home + os.sep) else root
        return shortened(shown, 200)

    def _badges(self) -> list[Content]:
        badges = [Content.styled("READ-ONLY", "bold")]
        if self.app.demo:
            badges.insert(0, Content.styled("DEMO", "bold $accent"))
        reading, progress = self.app.reading, self.app.progress
        if self.app.fault is not None:
            badges.append(Content.styled("✘ NOT LIVE", "bold $error"))
        elif progress is not None:
            part = 100 * progress.bytes_done // max(1, progress.bytes_total)
            badges.append(Content.styled(f"READING {part:2} %", "bold $accent"))
        elif reading is None:
            badges.append(Content.styled("READING", "bold $accent"))
        else:
            badges.append(Content.styled(f"LIVE {clock_time(reading.taken_at)}", "bold $accent"))
        if reading is not None and self.app.fault is None:
            badges.append(self._verified("VERIFIED " if self.content_size.width >= _WIDE else ""))
        return badges

    def _verified(self, word: str) -> Content:
        reading = self.app.reading
        chain = reading.chain if reading is not None else None
        if chain is None:
            return Content.styled(f"✘ {word}0", "bold $error")
        status = chain.answers.integrity.status
        glyph, tone = {"yes": ("✔", "$success"), "no": ("✘", "$error"), "unknown": ("?", "$warning")}[status]
        number = f"{chain.verified:,}"
        if chain.verified != chain.entries:
            number += f" of {chain.entries:,}"
        return Content.styled(f"{glyph} {word}{number}", f"bold {tone}")


def clock_time(moment: str) -> str:
    """`14:06` in the time zone of this machine, for an RFC 3339 time."""
    parsed = parse_rfc3339(moment)
    return moment if parsed is None else datetime.astimezone(parsed).strftime("%H:%M")
