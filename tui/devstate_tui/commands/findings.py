"""The palette over the findings: type a code or a word of one, and open it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import Hit, Hits, Provider

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
        matcher = self.matcher(query)
        wanted = query.casefold()
        for finding in (app.reading.findings if app.reading is not None else ())[:_MOST]:
            text = f"{finding.code}: {shortened(finding.message, 200)}"
            # Not fuzzy, and below every action: a long sentence has the letters of almost any word in it.
            if wanted in text.casefold():
                yield Hit(
                    _SCORE, matcher.highlight(text), partial(_open, app, finding), help="open this finding"
                )


def _open(app: DevStateApp, finding: Finding) -> None:
    app.post_message(OpenFinding(finding))
