"""The two lines on top of every screen: whose state this is, the permanent badges, and the screens."""

from __future__ import annotations

from textual.widgets import Static


class StatusBar(Static):
    def __init__(self, mode: str) -> None:
        super().__init__("DevState")
        self.mode = mode
