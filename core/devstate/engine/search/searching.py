"""A search from the question to the answer: rank in each source, fuse, cut the snippets.

The hits are a function of the sources and the request, whichever sources have an index, unless the wall-clock
budget runs out; then `truncated` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .bm25 import DocKey
from .fusion import Fused, depth, fuse
from .query import Budget, query_terms
from .ranking import Ranking
from .response import Ref, SearchHit, SearchResponse, SearchStats
from .scan import scan
from .snippet import snippet
from .source import Source
from .tokens import tokens

__all__ = ["search"]


def search(
    sources: Sequence[Source],
    query: str,
    *,
    k: int = 10,
    budget: Budget = Budget(),  # noqa: B008 - it is frozen
    clock_us: Callable[[], int],
    recency: int | None = None,
    mode: str = "keyword",
    debug: bool = False,
) -> SearchResponse:
    """The k documents of the sources that answer best to the words of the query, any of which may match.

    A word given twice counts once, and the order of words does not matter. `clock_us` is a steadily rising
    microsecond clock, read for the budget and `elapsed_us` alone. `recency`: see `fusion`.

    Raises UsageError for a query without a word of two letters or digits, or of more than 64 different ones,
    for k below 1, for a budget of nothing, and for a `mode` other than `keyword`.
    """
    terms = query_terms(query, k=k, budget=budget, mode=mode)
    began = clock_us()
    until = began + budget.milliseconds * 1000

    def expired() -> bool:
        return clock_us() >= until

    useful = depth(k, recency=recency)
    left = budget.candidates
    truncated = False
    candidates = 0
    index_used: dict[str, bool] = {}
    rankings: list[tuple[Source, list[tuple[float, DocKey]]]] = []
    for source in sorted(sources, key=lambda one: (one.type_id, one.run)):
        if expired():
            truncated = True
            break
        allowed = min(budget.per_primitive, left)
        # One more than allowed tells whether the limit kept anything out.
        ranking = _rank(source, terms, min(useful, allowed + 1), expired)
        hits = ranking.hits[:allowed]
        truncated = truncated or ranking.cut or len(hits) < len(ranking.hits)
        left -= len(hits)
        candidates += ranking.scored
        index_used[source.name] = index_used.get(source.name, True) and source.index is not None
        rankings.append((source, hits))
    found = fuse(rankings, k, recency=recency)
    shown = tuple(_hit(one, rank, terms, debug=debug) for rank, one in enumerate(found, 1))
    stats = SearchStats(candidates, tuple(index_used), index_used, clock_us() - began)
    return SearchResponse(shown, truncated, stats)


def _rank(source: Source, terms: Sequence[str], k: int, expired: Callable[[], bool]) -> Ranking[Any]:
    if source.index is not None:
        return source.index.top(terms, k, accept=source.accept, expired=expired)
    return scan(source.texts(), terms, k, accept=source.accept, expired=expired)


def _hit(one: Fused, rank: int, terms: Sequence[str], *, debug: bool) -> SearchHit:
    source = one.source
    ref = Ref(source.name, source.run, one.key) if source.ref_of is None else source.ref_of(one.key)
    text = source.text_of(one.key) or ""
    details: dict[str, object] | None = None
    if debug:
        words = set(tokens(text))
        details = {
            "bm25": one.bm25,
            "primitive_rank": one.primitive_rank,
            "terms": [term for term in terms if term in words],
            "recency": one.recency,
        }
    return SearchHit(ref, one.score, rank, snippet(text, terms), details)
