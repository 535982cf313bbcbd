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
from devstate_tui.actions import ACTIONS, SCREENS

from .fitting import cell_len, fit

if TYPE_CHECKING:
    from devstate.chain import ChainReport
    from devstate_tui.app import DevStateApp

__all__ = ["StatusBar", "clock_time"]


# The key that shows a screen, as it is by default.
_NUMBERS = {action.call[6:-2]: action.keys[0] for action in ACTIONS if action.call.startswith("show('")}


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
        return Content("\n").join([self._first_line(width), self._second_line(width)])

    def _first_line(self, width: int) -> Content:
        """The badges at the right; before them what fits whole: the path below names the project too."""
        badges = self._badges(width)
        room = width - badges.cell_length - 2
        left = Content("")
        for number, (text, style) in enumerate((("DevState", "bold $accent"), *self._subject())):
            part = Content.assemble("  " if number else "", (text, style))
            if left.cell_length + part.cell_length > room:
                break
            left += part if text else Content("")
        return Content.assemble(left, " " * max(0, width - left.cell_length - badges.cell_length), badges)

    def _second_line(self, width: int) -> Content:
        tabs = Content("")
        for mode, name in SCREENS:
            number = _NUMBERS[mode]
            label = Content.from_markup(f"[@click=app.show('{mode}')] {number} {name} [/]")
            tabs += label.stylize("bold reverse" if mode == self.mode else "$text-muted") + Content(" ")
        room = width - tabs.cell_length
        path = self._path()
        if cell_len(path) > room:
            path = fit("…" + path[-(room - 1) :], room) if room > 12 else ""
        return Content.assemble(tabs, " " * max(0, room - cell_len(path)), (path, "$text-muted"))

    def _subject(self) -> tuple[tuple[str, str], ...]:
        """(text, style) of the project and of its checkpoint."""
        reading = self.app.reading
        if reading is None or reading.state is None or reading.state.document is None:
            return ((os.path.basename(self.app.root or os.getcwd()) or "/", "bold"),)
        document = reading.state.document
        return ((shortened(document.project, 60), "bold"), (shortened(document.current_cp, 16), ""))

    def _path(self) -> str:
        reading = self.app.reading
        root = reading.root if reading is not None else os.path.abspath(self.app.root or os.getcwd())
        home = self.app.folders.home
        shown = "~" + root[len(home) :] if root == home or root.startswith(home + os.sep) else root
        return shortened(shown, 200)

    def _badges(self, width: int) -> Content:
        """The badges in the longest form that fits: numbers go before words."""
        forms = [Content("  ").join(self._badges_as(short)) for short in (False, True)]
        return next((form for form in forms if form.cell_length <= width), forms[-1])

    def _badges_as(self, short: bool) -> list[Content]:
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
            badges.append(
                Content.styled("LIVE" if short else f"LIVE {clock_time(reading.taken_at)}", "bold $accent")
            )
        if reading is not None and self.app.fault is None:
            badges.append(_verdict(reading.chain, short))
        return badges


def _verdict(chain: ChainReport | None, short: bool) -> Content:
    """`VERIFIED 120`, `BROKEN at 60`, or why it is neither."""
    if chain is None:
        return Content.styled("✘ NO HISTORY", "bold $error")
    status = chain.answers.integrity.status
    if status == "unknown":
        return Content.styled("? NOT DECIDED", "bold $warning")
    if status == "no":
        at = "" if chain.first_bad is None or short else f" at {chain.first_bad:,}"
        return Content.styled(f"✘ BROKEN{at}", "bold $error")
    return Content.styled("✔ VERIFIED" + ("" if short else f" {chain.verified:,}"), "bold $success")


def clock_time(moment: str) -> str:
    """`14:06` in the time zone of this machine, for an RFC 3339 time."""
    parsed = parse_rfc3339(moment)
    return moment if parsed is None else datetime.astimezone(parsed).strftime("%H:%M")
