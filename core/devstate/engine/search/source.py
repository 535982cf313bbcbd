"""What is searched: the documents of one primitive in one run, as the engine hands them over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from .index import InvertedIndex
from .response import Ref

__all__ = ["Source"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One primitive of one run, at one commit version.

    The keys of a source are all texts, or all integers, or the one key None. All functions must answer for the
    same commit version, and `index` must stand at it and hold the very documents that `texts` gives: pass None
    where it does not, and `texts` is read instead.

    - `texts()`: each document once, as (key, text), in any order.
    - `text_of(key)`: the text of one document, None where there is none; read for snippets.
    - `accept(key)`: the filters of the request (time range, tags, expiry). They choose among the hits; the
      statistics behind the scores stay those of all documents of the source.
    - `time_of(key)`: commit time in microseconds since the epoch; read with `recency` alone.
    - `ref_of(key)`: what a hit refers to; without it `Ref(name, run, key)`.
    """

    type_id: int
    name: str
    run: str
    texts: Callable[[], Iterable[tuple[Any, str]]]
    text_of: Callable[[Any], str | None]
    index: InvertedIndex[Any] | None = None
    accept: Callable[[Any], bool] | None = None
    time_of: Callable[[Any], int | None] | None = None
    ref_of: Callable[[Any], Ref] | None = None
