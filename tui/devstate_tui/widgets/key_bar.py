"""The line of keys at the bottom: what can be done here, those of the focused part first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import getters
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

from devstate_tui.actions import ACTIONS, Action, scope_chain
from devstate_tui.keymap import key_label

if TYPE_CHECKING:
    from devstate_tui.app import DevStateApp

__all__ = ["KeyBar"]

_KNOWN = {action.id: action for action in ACTIONS}
_BREAK = "app.first_break"
_LAST = "app.help"  # always there, at the right end


def _app_type() -> type[DevStateApp]:
    from devstate_tui.app import DevStateApp

    return DevStateApp


class KeyBar(Widget):
    """Derived from the live bindings; what does not fit is left out from the end, `?` never."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        background: $panel;
        padding: 0 1;
        text-wrap: nowrap;
        link-style: none;
        link-style-hover: reverse;
        link-background-hover: $panel;
    }
    """

    app = getters.app(_app_type)

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.watch(self.app, "reading", self._redraw, init=False)

    def _changed(self, _screen: Screen[object]) -> None:
        self.refresh()

    def _redraw(self) -> None:
        self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        live = {active.binding.id for active in self.screen.active_bindings.values()}
        last = self._key(_KNOWN[_LAST]) if _LAST in live else Content("")
        shown = [action for action in ACTIONS if action.id in live and action.shown and action.id != _LAST]
        here = f"show('{self.app.current_mode}')"
        shown = [action for action in shown if action.call != here]
        shown.sort(key=lambda action: -len(scope_chain(action.scope)))
        # Where something is broken, the way to it is the key to have.
        broken = [one for one in shown if one.id == _BREAK and self.app.reason_against(one.id) is None]
        shown = [*shown[:1], *broken, *(one for one in shown[1:] if one not in broken)]
        line = Content("")
        for action in shown:
            key = self._key(action)
            if line.cell_length + key.cell_length + last.cell_length + 4 > width:
                break
            line += key + Content("  ")
        return Content.assemble(line, " " * max(0, width - line.cell_length - last.cell_length), last)

    def _key(self, action: Action) -> Content:
        key = self.app.keymap.keys_of(action)[0]
        off = self.app.reason_against(action.id) is not None
        text = Content.assemble(
            (key_label(key), "$text-muted" if off else "bold $accent"),
            (f" {action.label}", "$text-muted" if off else ""),
        )
        return text.stylize(Style.from_meta({"@click": ("screen.run", (action.id,))}))
