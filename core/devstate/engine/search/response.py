"""What a search answers."""

from __future__ import annotations

import msgspec

__all__ = ["Ref", "SearchHit", "SearchResponse", "SearchStats"]


class Ref(msgspec.Struct, frozen=True, gc=False):
    """Where a record is: the name of its primitive, its run in UUID form, its key there.

    The key is a text (KV and JSON key, State name, Trace span id), a number (Event seq) or None (the run itself).
    """

    primitive: str
    run: str
    key: str | int | None


class SearchHit(msgspec.Struct, frozen=True):
    """One record found.

    `score` is the fused score, comparable within one response alone; `rank` counts from 1; `snippet` is the text
    around the first word found, safe to print. `debug`, where asked for: `bm25` (score within its primitive),
    `primitive_rank` (from 1), `terms` (words of the query that it holds) and `recency` (factor, 1.0 without).
    """

    ref: Ref
    score: float
    rank: int
    snippet: str
    debug: dict[str, object] | None = None


class SearchStats(msgspec.Struct, frozen=True):
    """How the answer came about: documents looked at, primitives searched, by index or scan, microseconds.

    A primitive that the time budget did not reach is not among those searched. This is not part of what repeats:
    an index looks at fewer documents than a scan does for the same hits.
    """

    candidates: int
    primitives_searched: tuple[str, ...]
    index_used: dict[str, bool]
    elapsed_us: int


class SearchResponse(msgspec.Struct, frozen=True):
    """The hits, best first. `truncated`: a budget kept matches out that could have been among them."""

    hits: tuple[SearchHit, ...]
    truncated: bool
    stats: SearchStats
