"""The Overview screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Static

from ..view import View

if TYPE_CHECKING:
    from devstate.workspace import Reading


class OverviewScreen(View):
    MODE = "overview"

    def compose_body(self) -> ComposeResult:
        yield Static("reading")

    def show(self, reading: Reading) -> None:
        self.query_one(Static)
