"""What a user sees when the inspector itself fails: what, where, and what to do; never a value of a variable.

A traceback with locals would print key rings and whole entries. So the message holds the kind of the error
and the lines of code that led to it. The error's own text is left out as well, unless it is one of
DevState's: a library may have put any value into it.
"""

from __future__ import annotations

import os
import traceback

from devstate.errors import DevStateError
from devstate.findings import visible

__all__ = ["crash_message"]

_FRAMES = 6


def crash_message(error: BaseException) -> str:
    """Some lines of plain text about an error that nobody caught."""
    cause = getattr(error, "error", None)  # textual wraps what a worker raised
    if isinstance(cause, BaseException):
        error = cause
    if isinstance(error, DevStateError):
        remedy = f"\nWhat to do: {visible(error.remedy)}" if error.remedy else ""
        return f"devstate: {visible(str(error))}{remedy}"
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"  {_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join(
        [
            f"devstate: the inspector ended because of an error of its own ({type(error).__name__}).",
            "Nothing was written: the inspector only reads.",
            *places,
            "What to do: start it again; `devstate status` and `devstate verify` work without it.",
            "Please report these lines; they hold no content of your files.",
        ]
    )


def _short(path: str) -> str:
    parts = path.replace(os.sep, "/").split("/")
    return "/".join(parts[-3:])
