"""The palette over the registry: every action that works on this screen, with its key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape

from devstate_tui.actions import ACTIONS, Action
from devstate_tui.keymap import key_label

if TYPE_CHECKING:
    from devstate_tui.app import DevStateApp

__all__ = ["ActionCommands"]


class ActionCommands(Provider):
    """Actions of the app and of the screen below the palette; the keys of lists need no palette."""

    @property
    def _app(self) -> DevStateApp:
        return cast("DevStateApp", self.app)

    def _actions(self) -> list[Action]:
        scopes = (self._app.current_mode, "app")
        return [
            action
            for scope in scopes
            for action in ACTIONS
            if action.scope == scope and action.id != "app.palette"
        ]

    async def discover(self) -> Hits:
        for action in self._actions():
            yield DiscoveryHit(action.description, self._run(action), help=self._help(action))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in self._actions():
            text = f"{action.description} ({action.label})"
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, matcher.highlight(text), self._run(action), help=self._help(action))

    def _run(self, action: Action) -> partial[object]:
        return partial(self._app.run_registered, action.id)

    def _help(self, action: Action) -> str:
        keys = ", ".join(key_label(key) for key in self._app.keymap.keys_of(action))
        reason = self._app.reason_against(action.id)
        parts = [f"key {keys}"]
        if action.command:
            parts.append(f"same as: {action.command}")
        if reason:
            parts.append(f"not now: {reason}")
        return escape("   ".join(parts))
