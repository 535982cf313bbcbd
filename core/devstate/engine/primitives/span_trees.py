"""Spans as readers get them, one by one and as trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["Span", "SpanNode", "trees"]


class Span(msgspec.Struct, frozen=True):
    """One span. `start`, `end` (None while it goes on) and `ts` (of its last record) in microseconds."""

    id: str
    parent: str | None
    kind: str
    name: str
    start: int
    end: int | None
    attrs: dict[str, Any]
    tags: tuple[str, ...]
    cv: int
    ts: int


class SpanNode(msgspec.Struct, frozen=True):
    """A span and the spans under it, in the order of their first records."""

    span: Span
    children: tuple[SpanNode, ...]


def trees(spans: Sequence[Span], root: str | None) -> tuple[SpanNode, ...]:
    by_id = {span.id: span for span in spans}
    under: dict[str, list[str]] = {}
    for span in spans:
        if span.parent is not None and span.parent in by_id:
            under.setdefault(span.parent, []).append(span.id)
    placed: set[str] = set()
    if root is not None:
        return (_node(root, by_id, under, placed),)
    nodes = [
        _node(span.id, by_id, under, placed)
        for span in spans
        if span.parent is None or span.parent not in by_id
    ]
    # Those that are left go round in circles.
    nodes.extend(_node(span.id, by_id, under, placed) for span in spans if span.id not in placed)
    return tuple(nodes)


def _node(
    root: str, by_id: Mapping[str, Span], under: Mapping[str, Sequence[str]], placed: set[str]
) -> SpanNode:
    """The tree under a span, without recursion: a chain of spans may be of any length."""
    placed.add(root)
    open_nodes: list[tuple[str, Iterator[str], list[SpanNode]]] = [(root, iter(under.get(root, ())), [])]
    while True:
        key, rest, done = open_nodes[-1]
        for child in rest:
            if child not in placed:
                placed.add(child)
                open_nodes.append((child, iter(under.get(child, ())), []))
                break
        else:
            node = SpanNode(by_id[key], tuple(done))
            open_nodes.pop()
            if not open_nodes:
                return node
            open_nodes[-1][2].append(node)
