"""Keyword search in one run of 10,000 texts, by its index."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import engine_data as data
from harness import Result
from timing import Way, add, in_turn, milliseconds, whole

K = 10


def measure(result: Result, folder: Path, quick: bool) -> None:
    """Two-term queries drawn in two ways, two cases that are the worst, and the building of an index."""
    documents, queries, rounds = (300, 20, 2) if quick else (10_000, 400, 5)
    texts = data.Texts(documents)
    label = f"search, {documents:,} documents"
    with data.open_engine("memory") as database:
        run = _filled(database, texts.documents)
        database.index_run(run.id, ["kv"])
        for drawn, query in (("evenly", texts.evenly), ("as written", texts.as_written)):
            questions = [(query(),) for _ in range(queries * 2 * (rounds + 1))]
            found, cut = _searched(database, run, questions, rounds=rounds, calls=queries)
            told = f"{cut} of {found.calls and len(questions)} cut short by the budget" if cut else None
            add(result, f"{label}, 2 terms drawn {drawn}", found, must=10, aim=0.1, note=told)
    for told, (texts_of_all, query) in (
        ("3 terms in nearly all", data.everywhere(documents)),
        ("3 terms in all, opposed", data.opposed(documents)),
    ):
        with data.open_engine("memory") as database:
            run = _filled(database, texts_of_all)
            database.index_run(run.id, ["kv"])
            calls = max(4, queries // 5)
            found, cut = _searched(
                database, run, [(query,)] * (calls * 2 * (rounds + 1)), rounds=rounds, calls=calls
            )
            note = f"{cut} cut short by the budget" if cut else None
            add(result, f"{label}, {told}", found, must=10, aim=5, note=note)
    times = []
    path = folder / "rebuild"
    with data.open_engine("buffered", path) as database:
        identity = _filled(database, texts.documents).id
    for _ in range(rounds):
        with data.open_engine("buffered", path) as database:
            times.append(milliseconds(partial(database.index_run, identity, ["kv"])))
    add(result, f"index rebuild, {documents:,} documents", whole("ms", times), must=2000, aim=160)
    result.notes += [
        f"search: KV of one run, index kept by `index_run` and warm, {data.DOCUMENT_WORDS} words a document out of "
        f"{data.WORDS:,} by Zipf's law (the n-th word 1/n as likely as the first), k = {K}, one thread, all queries "
        "different",
        "search terms: `evenly` draws two of the words that occur, each as likely as any other; `as written` draws "
        "them as the words of the documents were, so mostly words of hundreds or thousands of documents; `nearly all` "
        "asks for three words that each stand in 97 % of the documents, which mostly score alike; `opposed` for three "
        "that stand in all, five times where another stands once: most documents must be looked at",
    ]


def _filled(database: Any, documents: list[str]) -> Any:
    run = database.run(name="texts")
    for first in range(0, len(documents), 500):
        with run.transaction() as transaction:
            for number, text in enumerate(documents[first : first + 500], first):
                transaction.kv.put(f"text-{number:06d}", text)
    return run


def _searched(database: Any, run: Any, questions: list[tuple[str]], *, rounds: int, calls: int) -> Any:
    """In ms; and how many answers the time budget cut short."""
    cut = 0

    def search(query: str) -> None:
        nonlocal cut
        answer = database.search(run.id, query, k=K, primitives=("kv",))
        cut += answer.truncated

    search(questions[0][0])
    found = in_turn({"ours": Way(search, questions)}, rounds=rounds, calls=calls)["ours"]
    inner = tuple(value / 1000 for value in found.rounds), tuple(value / 1000 for value in found.calls)
    return type(found)("ms", *inner), cut
