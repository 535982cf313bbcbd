"""The same ranking as an index gives, computed from the texts themselves.

For a commit version at which no index stands. Each text is read once; nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from .bm25 import K, count_of, weigh
from .ranking import Ranking, column, top
from .tokens import tokens

__all__ = ["scan"]

# Documents between two looks at the clock.
_CHECK = 256


def scan(
    texts: Iterable[tuple[K, str]],
    terms: Sequence[str],
    k: int,
    *,
    accept: Callable[[K], bool] | None = None,
    expired: Callable[[], bool] = lambda: False,
) -> Ranking[K]:
    """What `InvertedIndex.top` returns for an index of these (key, text), keys being different.

    When `expired` says so, the ranking is that of the documents read till then, by their own statistics.
    """
    counts: dict[str, dict[K, int]] = {term: {} for term in terms}
    documents = 0
    length_sum = 0
    cut = False
    for key, text in texts:
        if documents % _CHECK == 0 and expired():
            cut = True
            break
        words = tokens(text)
        length = len(words)
        documents += 1
        length_sum += length
        for term, having in counts.items():
            if term in words:
                having[key] = count_of(words.count(term), length)
    # What was read is ranked even when the time is over: it is little work, and better than no answer.
    known = sorted((len(having), term, having) for term, having in counts.items() if having)
    columns = [
        column(weights, ordered=False)
        for _, _, having in known
        if (weights := weigh(having, documents=documents, length_sum=length_sum, expired=_never)) is not None
    ]
    ranking = top(columns, k, accept=accept, expired=_never)
    return Ranking(ranking.hits, documents, cut)


def _never() -> bool:
    return False
