"""Where a person wants to go in a chain: to a number, a place from the end, a share, or a time."""

from __future__ import annotations

import re
from typing import NamedTuple

from devstate.chain import parse_moment
from devstate.errors import UsageError

from .chain import ChainModel

__all__ = ["HELP", "Destination", "find_destination"]

HELP = "4812  -1 (last)  50%  2026-03-11  2026-03-11T14:06"

_NUMBER = re.compile(r"#?([0-9][0-9_,]{0,18})\Z", re.ASCII)
_FROM_END = re.compile(r"-([0-9]{1,12})\Z", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%\Z", re.ASCII)


class Destination(NamedTuple):
    """The entry, and a sentence that says why it is this one where that is not plain."""

    entry: int
    sentence: str = ""


def find_destination(text: str, model: ChainModel) -> Destination:
    """What the text means in this chain. Raises UsageError with what can be written instead."""
    text = text.strip()
    if not model.count:
        raise UsageError("there is no entry to go to", remedy="Wait until the history has entries.")
    if match := _NUMBER.match(text):
        entry = int(re.sub("[_,]", "", match[1]))
        if entry >= model.count:
            raise UsageError(
                f"there is no entry {entry:,}", remedy=f"Entries are numbered from 0 to {model.count - 1:,}."
            )
        return Destination(entry)
    if match := _FROM_END.match(text):
        back = int(match[1])
        if not 1 <= back <= model.count:
            raise UsageError(
                f"there are only {model.count:,} entries", remedy=f"Write -1 (the last) to -{model.count}."
            )
        return Destination(model.count - back)
    if match := _SHARE.match(text):
        share = float(match[1])
        if share > 100:
            raise UsageError(f"{text} is more than all of it", remedy="Write 0% to 100%.")
        return Destination(min(int(model.count * share / 100), model.count - 1))
    try:
        wanted = parse_moment(text)
    except UsageError:
        raise UsageError("this is neither an entry nor a time", remedy=f"Write one of:  {HELP}") from None
    entry = model.at_time(wanted)
    return Destination(entry, f"entry {entry:,} is the first that claims {text} or later")
