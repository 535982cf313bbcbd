"""Go to an entry by its number, its place from the end, a share of the chain, or a time."""

from __future__ import annotations

from dataclasses import dataclass

from devstate_tui.models.chain import ChainModel
from devstate_tui.models.destination import HELP, find_destination
from devstate_tui.models.moments import long_time

from .place import PlaceDialog

__all__ = ["GotoChoice", "GotoDialog"]


@dataclass(frozen=True)
class GotoChoice:
    """The entry to go to (None: nowhere), and why it is this one."""

    entry: int | None
    sentence: str = ""


class GotoDialog(PlaceDialog[GotoChoice]):
    """Asks for an entry or a time."""

    def __init__(self, model: ChainModel) -> None:
        last = max(model.count - 1, 0)
        super().__init__(
            "Go to an entry or a time",
            span=f"{model.count:,} entries, from 0 to {last:,}",
            names="entry or time",
            examples=HELP,
        )
        self._model = model

    def place_of(self, text: str) -> GotoChoice:
        return GotoChoice(*find_destination(text, self._model))

    def told(self, place: GotoChoice) -> str:
        entry = place.entry or 0
        row = self._model.row(entry)
        said = f"  {long_time(row.ts)}  {row.actor}" if not row.fault else ""
        return f"entry {entry:,}{said}"

    def outcome_of(self, button: str) -> GotoChoice:
        return GotoChoice(None)
