"""The page of the screens that show a database, where there is none to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from devstate.findings import visible

if TYPE_CHECKING:
    from devstate.engine.inspection import FolderLook
    from devstate.errors import DevStateError

__all__ = ["no_database"]


def no_database(
    shown: str, look: FolderLook | None, error: DevStateError | None, record: str
) -> Content | None:
    """Why nothing of the folder can be shown (its path as `shown`), and what to do; None where there is a database.

    `record` is the command line that makes one.
    """
    folder = visible(shown)
    if error is not None and (look is None or not look.there):
        return _page("✘ The database cannot be read.", [visible(error.message)], visible(error.remedy))
    if look is None:
        return Content.styled("Looking for a database…", "$text-muted")
    if look.other:
        return _page(
            "✘ This is no database.",
            [f"{folder} holds other files."],
            "name the folder of a database: `devstate . --db FOLDER`.",
        )
    if not look.there:
        return _page(
            "No database here yet.",
            [f"It would be in {folder}."],
            f"`{visible(record)}` makes one and records a command as its first run; "
            "`devstate . --db FOLDER` shows another.",
        )
    return None


def _page(title: str, lines: Sequence[str], remedy: str) -> Content:
    parts = [Content.styled(title, "bold"), Content("")]
    parts += [Content(line) for line in lines]
    if remedy:
        parts += [Content(""), Content.assemble(("What to do: ", "bold"), remedy)]
    last = "This screen looks again by itself when something changes."
    parts += [Content(""), Content.styled(last, "$text-muted")]
    return Content("\n").join(parts)
