"""The palette over the findings: type a code or a word of one, and open it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import Hit, Hits, Provider
from textual.content import Content

from devstate.findings import Finding, shortened
from devstate_tui.messages import OpenFinding

if TYPE_CHECKING:
    from devstate_tui.app import DevStateApp

__all__ = ["FindingCommands"]

_SCORE = 0.001
_MOST = 1000  # scoring more would be felt while typing; the list of the Overview holds all of them


class FindingCommands(Provider):
    """The findings of the reading that is shown."""

    async def search(self, query: str) -> Hits:
        app = cast("DevStateApp", self.app)
        wanted = query.casefold()
        for finding in (app.reading.findings if app.reading is not None else ())[:_MOST]:
            text = f"{finding.code}: {shortened(finding.message, 200)}"
            # Not fuzzy, and below every action: a long sentence has the letters of almost any word in it.
            if wanted in text.casefold():
                yield Hit(_SCORE, _lit(text, wanted), partial(_open, app, finding), text, "open this finding")


def _lit(text: str, wanted: str) -> Content:
    """The text as it is (nothing in it is markup), with the found part lit."""
    begin = text.casefold().find(wanted)
    return Content(text).stylize("bold underline", begin, begin + len(wanted))


def _open(app: DevStateApp, finding: Finding) -> None:
    app.post_message(OpenFinding(finding))
