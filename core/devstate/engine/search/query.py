"""What may be asked for, and what a wrong question is told."""

from __future__ import annotations

import msgspec

from devstate.errors import UsageError

from .tokens import tokens

__all__ = ["Budget", "query_terms"]

_MOST_TERMS = 64


class Budget(msgspec.Struct, frozen=True):
    """What a search may spend. To reach a limit shortens the answer and sets `truncated`; it is not an error.

    `milliseconds` is wall-clock time. `per_primitive` and `candidates` are how many of its best matches one
    primitive, and all primitives together in the order of their type ids, may put up for the final ranking.
    They are counted in the order of rank, so that the answer does not depend on how it was computed.
    """

    milliseconds: int = 100
    candidates: int = 10_000
    per_primitive: int = 2_000


def query_terms(query: str, *, k: int, budget: Budget, mode: str) -> list[str]:
    """The different words of the query, in its order. Raises UsageError where the request makes no sense."""
    if mode != "keyword":
        raise UsageError(f"search mode {mode[:40]!r} is not known", remedy="Use mode='keyword'.")
    if k < 1:
        raise UsageError(f"a search for {k} hits finds none", remedy="Ask for k = 1 or more.")
    if budget.milliseconds < 0 or budget.candidates < 1 or budget.per_primitive < 1:
        raise UsageError(
            "the budget leaves nothing to search with",
            remedy="Give 0 or more milliseconds, and 1 or more candidates, also per primitive.",
        )
    terms = list(dict.fromkeys(tokens(query)))
    if not terms:
        raise UsageError(
            "the query holds no word to search for",
            remedy="Give at least one word of two letters or digits.",
        )
    if len(terms) > _MOST_TERMS:
        raise UsageError(
            f"the query holds {len(terms)} different words", remedy=f"Give at most {_MOST_TERMS}."
        )
    return terms
