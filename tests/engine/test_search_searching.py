"""A search over several primitives: fusion, filters, budgets, wrong questions, and that it repeats."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.search import Budget, InvertedIndex, Ref, SearchResponse, Source, search
from devstate.errors import UsageError
from python_child import child_environment

_RUN = "0191d3a0-0000-7000-8000-000000000001"
_DAY = 86_400_000_000


def _stopped() -> int:
    return 1_000_000


def _source(
    type_id: int, name: str, documents: dict[Any, str], *, indexed: bool = False, run: str = _RUN, **more: Any
) -> Source:
    index: InvertedIndex[Any] | None = None
    if indexed:
        index = InvertedIndex()
        for key, text in documents.items():
            index.add(key, text)
    return Source(
        type_id=type_id,
        name=name,
        run=run,
        texts=documents.items,
        text_of=documents.get,
        index=index,
        **more,
    )


def _keys(response: SearchResponse) -> list[tuple[str, object]]:
    return [(hit.ref.primitive, hit.ref.key) for hit in response.hits]


def test_hits_carry_what_they_refer_to_and_why() -> None:
    kv = _source(1, "kv", {"a": "deploy failed", "b": "nothing to see", "c": "deploy deploy failed again"})
    event = _source(3, "event", {0: "tool_call\ndeploy", 1: "tool_call\nother"}, indexed=True)
    response = search([event, kv], "Failed DEPLOY failed", clock_us=_stopped, debug=True)
    assert [hit.ref for hit in response.hits] == [
        Ref("kv", _RUN, "a"),
        Ref("event", _RUN, 0),
        Ref("kv", _RUN, "c"),
    ]
    assert [hit.rank for hit in response.hits] == [1, 2, 3]
    assert [hit.score for hit in response.hits] == [1 / 61, 1 / 61, 1 / 62]
    assert [hit.snippet for hit in response.hits] == [
        "deploy failed",
        "tool_call deploy",
        "deploy deploy failed again",
    ]
    first = response.hits[0].debug
    assert first is not None
    assert first["terms"] == ["failed", "deploy"]
    assert first["primitive_rank"] == 1
    assert first["recency"] == 1.0
    assert not response.truncated
    assert response.stats.primitives_searched == ("kv", "event")
    assert response.stats.index_used == {"kv": False, "event": True}
    assert response.stats.elapsed_us == 0
    assert search([kv], "deploy", clock_us=_stopped).hits[0].debug is None


def test_a_question_that_nothing_answers_has_no_hits() -> None:
    response = search([_source(1, "kv", {"a": "deploy"})], "absent", clock_us=_stopped)
    assert response.hits == ()
    assert not response.truncated
    assert search([], "word", clock_us=_stopped).hits == ()


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("", {}),
        (" . - x ! é", {}),
        ("word", {"mode": "vector"}),
        ("word", {"k": 0}),
        ("word", {"budget": Budget(milliseconds=-1)}),
        ("word", {"budget": Budget(candidates=0)}),
        ("word", {"budget": Budget(per_primitive=0)}),
        (" ".join(f"w{number}" for number in range(10, 75)), {}),
    ],
)
def test_a_wrong_question_is_refused_with_a_way_on(query: str, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        search([_source(1, "kv", {"a": "word"})], query, clock_us=_stopped, **more)
    assert refused.value.remedy
    assert refused.value.exit_code == 2


def test_the_longest_question_is_answered() -> None:
    query = " ".join(f"w{number}" for number in range(10, 74))
    assert _keys(search([_source(1, "kv", {"a": "w73"})], query, clock_us=_stopped)) == [("kv", "a")]


def test_equal_ranks_stand_by_type_run_and_key() -> None:
    other = _RUN[:-1] + "2"
    sources = [
        _source(5, "trace", {"x": "word"}),
        _source(1, "kv", {"b": "word"}, run=other),
        _source(1, "kv", {"c": "word"}),
        _source(3, "event", {10: "word", 9: "word"}),
    ]
    response = search(sources, "word", clock_us=_stopped)
    assert _keys(response) == [("kv", "c"), ("kv", "b"), ("event", 9), ("trace", "x"), ("event", 10)]
    for order in itertools.permutations(sources):
        assert search(order, "word", clock_us=_stopped).hits == response.hits


def test_filters_choose_among_the_hits() -> None:
    documents = {f"k{number}": "word " * (number + 1) for number in range(10)}
    chosen = {"k2", "k5"}
    for indexed in (False, True):
        source = _source(1, "kv", documents, indexed=indexed, accept=chosen.__contains__)
        response = search([source], "word", clock_us=_stopped, debug=True)
        everything = search([_source(1, "kv", documents)], "word", clock_us=_stopped, debug=True)
        scores = {hit.ref.key: (hit.debug or {})["bm25"] for hit in everything.hits}
        assert {hit.ref.key: (hit.debug or {})["bm25"] for hit in response.hits} == {
            key: scores[key] for key in chosen
        }


def test_a_source_can_say_what_its_hits_refer_to() -> None:
    runs = _source(6, "run", {_RUN: "active nightly"}, ref_of=lambda key: Ref("run", key, None))
    assert search([runs], "nightly", clock_us=_stopped).hits[0].ref == Ref("run", _RUN, None)


def test_a_record_without_text_any_more_keeps_its_place() -> None:
    source = Source(type_id=1, name="kv", run=_RUN, texts=lambda: [("a", "word")], text_of=lambda key: None)
    hit = search([source], "word", clock_us=_stopped).hits[0]
    assert (hit.ref.key, hit.snippet) == ("a", "")


# -- recency ------------------------------------------------------------------------------------------------


def test_recency_is_what_its_formula_says() -> None:
    now = 100 * _DAY
    times = {"new": now, "day": now - _DAY, "future": now + _DAY, "none": None}
    source = _source(1, "kv", dict.fromkeys(times, "word"), time_of=times.__getitem__)
    response = search([source], "word", clock_us=_stopped, recency=now, debug=True)
    # Ranked by key before: day, future, new, none.
    assert {hit.ref.key: hit.score for hit in response.hits} == {
        "day": 1.5 / 61,
        "future": 2.0 / 62,
        "new": 2.0 / 63,
        "none": 1.0 / 64,
    }
    assert [hit.ref.key for hit in response.hits] == ["future", "new", "day", "none"]
    untimed = _source(1, "kv", {"a": "word"})
    assert search([untimed], "word", clock_us=_stopped, recency=now).hits[0].score == 1 / 61


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_with_recency_too_k_hits_are_the_first_of_all(seed: int, k: int) -> None:
    draw = random.Random(seed)
    documents = {number: "word " * draw.randint(1, 9) for number in range(300)}
    times = {number: draw.choice([0, 1, 5, 50, 99, 100]) * _DAY for number in documents}
    source = _source(3, "event", documents, time_of=times.__getitem__)
    everything = search([source], "word", k=300, clock_us=_stopped, recency=100 * _DAY)
    assert search([source], "word", k=k, clock_us=_stopped, recency=100 * _DAY).hits == everything.hits[:k]


# -- budgets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("indexed", [False, True])
def test_a_limit_of_candidates_keeps_the_best_and_says_so(indexed: bool) -> None:
    kv = _source(1, "kv", {f"k{number}": "word" for number in range(9)}, indexed=indexed)
    event = _source(3, "event", dict.fromkeys(range(4), "word"), indexed=indexed)

    def ask(budget: Budget, k: int = 20) -> tuple[list[tuple[str, object]], bool]:
        response = search([kv, event], "word", k=k, budget=budget, clock_us=_stopped)
        return _keys(response), response.truncated

    assert ask(Budget(per_primitive=2)) == ([("kv", "k0"), ("event", 0), ("kv", "k1"), ("event", 1)], True)
    # The first primitive takes nine of the ten.
    kv_hits = [("kv", f"k{number}") for number in range(9)]
    assert ask(Budget(candidates=10)) == ([kv_hits[0], ("event", 0), *kv_hits[1:]], True)
    assert ask(Budget(candidates=9)) == (kv_hits, True)
    assert not ask(Budget(candidates=13))[1]
    # What the limit kept out could not have been among the first two.
    assert ask(Budget(per_primitive=2), k=2) == ([("kv", "k0"), ("event", 0)], False)


def _ticking(step_us: int) -> Callable[[], int]:
    return itertools.count(0, step_us).__next__


@pytest.mark.parametrize("indexed", [False, True])
def test_of_time_that_runs_out_a_shorter_answer_comes(indexed: bool) -> None:
    # Where one word is frequent the other is rare: no document is the best of both, so most are looked at.
    opposed = {
        f"k{number:04}": "word " * (number % 9 + 1) + "common " * (9 - number % 9) for number in range(3000)
    }
    kv = _source(1, "kv", opposed, indexed=indexed)
    event = _source(3, "event", dict.fromkeys(range(4), "word"), indexed=indexed)
    nothing = search([kv, event], "word", budget=Budget(milliseconds=0), clock_us=_stopped)
    assert nothing.hits == ()
    assert nothing.truncated
    assert nothing.stats.primitives_searched == ()
    # The clock moves on by 1 ms at each look.
    short = search([kv, event], "word common", budget=Budget(milliseconds=6), clock_us=_ticking(1000))
    assert short.truncated
    assert short.stats.primitives_searched == ("kv",)
    assert 0 < short.stats.candidates < 3000
    assert short.stats.elapsed_us >= 6000
    assert len(short.hits) == 10
    # Made anew: an index that has weighed these words gets further in the same time.
    kv = _source(1, "kv", opposed, indexed=indexed)
    alone = search([kv], "word common", budget=Budget(milliseconds=6), clock_us=_ticking(1000))
    assert alone.truncated
    assert alone.hits == short.hits
    enough = search([kv, event], "word common", budget=Budget(milliseconds=60_000), clock_us=_ticking(1000))
    assert not enough.truncated
    assert enough.stats.primitives_searched == ("kv", "event")


# -- it repeats ---------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.booleans(), min_size=3, max_size=3), st.integers(1, 20))
def test_hits_do_not_depend_on_which_primitives_have_an_index(seed: int, indexed: list[bool], k: int) -> None:
    draw = random.Random(seed)
    words = [f"w{number}" for number in range(8)]
    contents = [
        {number: " ".join(draw.choices(words, k=draw.randint(0, 9))) for number in range(draw.randint(0, 60))}
        for _ in range(3)
    ]
    query = " ".join(draw.choices(words, k=3))

    def ask(with_index: list[bool], question: str) -> SearchResponse:
        sources = [
            _source(at, f"p{at}", contents[at], indexed=with_index[at], accept=lambda key: key % 5 != 0)
            for at in range(3)
        ]
        return search(sources, question, k=k, budget=Budget(per_primitive=8), clock_us=_stopped, debug=True)

    first = ask([False] * 3, query)
    second = ask(indexed, query)
    assert second.hits == first.hits
    assert second.truncated == first.truncated
    turned = ask(indexed, " ".join(reversed(query.split())))
    assert [(hit.ref, hit.score, hit.debug and hit.debug["bm25"]) for hit in turned.hits] == [
        (hit.ref, hit.score, hit.debug and hit.debug["bm25"]) for hit in first.hits
    ]


_CHILD = """
import random
from devstate.engine.search import InvertedIndex, Source, search
draw = random.Random(3)
words = [f"w{number}" for number in range(30)]
texts = {f"k{number}": " ".join(draw.choices(words, k=20)) for number in range(500)}
index = InvertedIndex()
for key, text in texts.items():
    index.add(key, text)
source = Source(type_id=1, name="kv", run="r", texts=texts.items, text_of=texts.get, index=index)
print(search([source], "w1 w2 w3 w4", k=50, clock_us=lambda: 0, debug=True))
"""


def test_hits_do_not_depend_on_how_texts_are_hashed() -> None:
    answers: set[str] = set()
    for seed in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env=child_environment(PYTHONHASHSEED=seed),
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert "w1" in answers.pop()
