"""Keyword search over texts: BM25 within a primitive, by index or by scan, and one ranking over all of them.

It knows nothing of the database, which hands its records over as `Source`s.
"""

from .fusion import fuse
from .index import InvertedIndex
from .query import Budget
from .response import Ref, SearchHit, SearchResponse, SearchStats
from .scan import scan
from .searching import search
from .snippet import snippet
from .source import Source
from .texts import (
    text_of_document,
    text_of_event,
    text_of_run,
    text_of_state,
    text_of_trace,
    text_of_value,
)
from .tokens import tokens

__all__ = [
    "Budget",
    "InvertedIndex",
    "Ref",
    "SearchHit",
    "SearchResponse",
    "SearchStats",
    "Source",
    "fuse",
    "scan",
    "search",
    "snippet",
    "text_of_document",
    "text_of_event",
    "text_of_run",
    "text_of_state",
    "text_of_trace",
    "text_of_value",
    "tokens",
]
