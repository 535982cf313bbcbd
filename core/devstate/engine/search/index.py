"""The inverted index of the documents of one primitive in one run: term -> document -> how often.

It is derived data: built from the texts, kept current by whoever owns it, never written to disk. `watermark` is
the commit version up to which it is current, set by the owner. Not safe for use by several threads at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic

from .bm25 import K, count_of, tf_of, weigh
from .ranking import Column, Ranking, column, top
from .tokens import tokens

__all__ = ["InvertedIndex"]

# A term in more documents than this is ranked without putting them in order: sorting cannot be interrupted, and
# would outlast a time budget.
_ORDER_AT_MOST = 100_000


class InvertedIndex(Generic[K]):
    """Terms of documents, with BM25 ranking. Keys are all texts or all integers."""

    __slots__ = ("_columns", "_counts", "_documents", "_length_sum", "_terms", "watermark")

    def __init__(self, watermark: int = 0) -> None:
        self.watermark = watermark
        # The term stands beside its documents so that all documents share one string of it.
        self._terms: dict[str, tuple[str, dict[K, int]]] = {}
        self._documents: dict[K, tuple[str, ...]] = {}
        self._length_sum = 0
        # One object of each count in use: there are few, and to weigh a term is to look each of them up.
        self._counts: dict[int, int] = {}
        self._columns: dict[str, Column[K]] = {}  # of the terms asked for since the last change

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, key: object) -> bool:
        return key in self._documents

    def term_count(self) -> int:
        """The number of different words in all documents."""
        return len(self._terms)

    def add(self, key: K, text: str) -> None:
        """A new document. Raises ValueError where the key is there: `replace` is for that."""
        if key in self._documents:
            raise ValueError("the index has a document of this key")
        if self._columns:
            self._columns.clear()
        words = tokens(text)
        length = len(words)
        terms = self._terms
        once = self._shared(count_of(1, length))
        mine: list[str] = []
        for word, tf in Counter(words).items():
            known = terms.get(word)
            if known is None:
                known = terms[word] = (word, {})
            known[1][key] = once if tf == 1 else self._shared(count_of(tf, length))
            mine.append(known[0])
        self._documents[key] = tuple(mine)
        self._length_sum += length

    def remove(self, key: K) -> bool:
        """Forget a document; False where there was none of this key."""
        mine = self._documents.pop(key, None)
        if mine is None:
            return False
        if self._columns:
            self._columns.clear()
        terms = self._terms
        length = 0
        for word in mine:
            counts = terms[word][1]
            length += tf_of(counts.pop(key))
            if not counts:
                del terms[word]
        self._length_sum -= length
        return True

    def replace(self, key: K, text: str) -> None:
        """The document of this key has this text from now on, whether it was there or not."""
        self.remove(key)
        self.add(key, text)

    def top(
        self,
        terms: Sequence[str],
        k: int,
        *,
        accept: Callable[[K], bool] | None = None,
        expired: Callable[[], bool] = lambda: False,
    ) -> Ranking[K]:
        """The k documents that score best for these different terms (as `tokens` gives them), equals by key.

        `accept` chooses among the hits; N, df and the average length are those of all documents. When
        `expired` says so, the ranking is that of the documents looked at till then.
        """
        known = [(len(entry[1]), *entry) for term in terms if (entry := self._terms.get(term)) is not None]
        # Rarest first; the order is that of every sum of weights, so it must be the same on each path.
        known.sort(key=lambda entry: entry[:2])
        columns: list[Column[K]] = []
        for _, term, counts in known:
            part = self._column(term, counts, expired)
            if part is None:
                return Ranking([], 0, True)
            columns.append(part)
        return top(columns, k, accept=accept, expired=expired)

    def _shared(self, count: int) -> int:
        return self._counts.setdefault(count, count)

    def _column(self, term: str, counts: dict[K, int], expired: Callable[[], bool]) -> Column[K] | None:
        part = self._columns.get(term)
        if part is None:
            weights = weigh(
                counts, documents=len(self._documents), length_sum=self._length_sum, expired=expired
            )
            if weights is None:
                return None
            part = self._columns[term] = column(weights, ordered=len(weights) <= _ORDER_AT_MOST)
        return part
