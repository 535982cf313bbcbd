"""JSON pointers (RFC 6901): naming a place inside a document, and getting the value there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from devstate.errors import UsageError

__all__ = ["join_pointer", "resolve_pointer", "split_pointer"]

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


def join_pointer(parts: Iterable[str | int]) -> str:
    """The pointer of member names and array indexes, from the top; none give "", the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def split_pointer(pointer: str) -> list[str]:
    """The unescaped tokens. Raises UsageError where the text is no pointer."""
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise UsageError(
            f"{pointer!r} is not a JSON pointer",
            position=pointer,
            remedy='Begin it with "/", for example /agents/0/status; "" names the whole document.',
        )
    if _BAD_ESCAPE.search(pointer):
        raise UsageError(
            f'{pointer!r} is not a JSON pointer: "~" stands alone',
            position=pointer,
            remedy='Write "~0" for "~" and "~1" for "/" inside a name.',
        )
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def resolve_pointer(document: Any, pointer: str) -> Any:
    """The value that the pointer names. Raises UsageError; the remedy names the nearest place that exists."""
    value = document
    done: list[str] = []
    for token in split_pointer(pointer):
        if isinstance(value, dict) and token in value:
            value = cast(Any, value[token])
        elif isinstance(value, list) and _names_item(token, cast("list[Any]", value)):
            value = cast(Any, value[int(token)])
        else:
            raise _nothing_there(pointer, join_pointer(done), cast(Any, value))
        done.append(token)
    return value


def _names_item(token: str, items: list[Any]) -> bool:
    return _INDEX.fullmatch(token) is not None and int(token) < len(items)


def _nothing_there(pointer: str, prefix: str, value: Any) -> UsageError:
    here = f'"{prefix}"' if prefix else "the document"
    if isinstance(value, dict):
        names = [join_pointer((name,)) for name in list(cast("dict[str, Any]", value))[:8]]
        holds = f"{here} has the members {', '.join(names)}" if names else f"{here} is an empty object"
        more = ", ..." if len(cast("dict[str, Any]", value)) > 8 else ""
    elif isinstance(value, list):
        count = len(cast("list[Any]", value))
        holds, more = f"{here} is an array of {count}" + (f" (0 to {count - 1})" if count else ""), ""
    else:
        holds, more = f"{here} is a single value", ""
    return UsageError(
        f'nothing stands at "{pointer}"',
        position=prefix or "/",
        remedy=f"The nearest place that exists: {holds}{more}.",
    )
