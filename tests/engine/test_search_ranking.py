"""BM25 by index and by scan: against each other exactly, and against the formula worked out for each document."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.search import InvertedIndex, scan
from devstate.engine.search.ranking import column, top

_WORDS = [f"w{number}" for number in range(12)]


def _documents(seed: int, most: int) -> dict[str, str]:
    """Few words, so that most documents have most of them, with lengths and counts that repeat: many ties."""
    draw = random.Random(seed)
    weights = [1 / (rank + 1) ** draw.choice([0.0, 1.0, 2.0]) for rank in range(len(_WORDS))]
    longest = draw.choice([3, 12, 40])
    return {
        f"k{number:03}": " ".join(draw.choices(_WORDS, weights, k=draw.randint(0, longest)))
        for number in draw.sample(range(1000), draw.randint(0, most))
    }


def _index(documents: dict[str, str]) -> InvertedIndex[str]:
    index: InvertedIndex[str] = InvertedIndex()
    for key, text in documents.items():
        index.add(key, text)
    return index


def _formula(documents: dict[str, str], terms: list[str]) -> dict[str, float]:
    """Score of each document that has a term; the words here are parted by spaces alone."""
    texts = {key: text.split() for key, text in documents.items()}
    if not any(texts.values()):
        return {}
    average = sum(len(words) for words in texts.values()) / len(texts)
    scores: dict[str, float] = {}
    for key, words in texts.items():
        parts: list[float] = []
        for term in terms:
            having = sum(1 for others in texts.values() if term in others)
            tf = words.count(term)
            if tf:
                rarity = math.log((len(texts) - having + 0.5) / (having + 0.5) + 1)
                parts.append(rarity * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(words) / average)))
        if parts:
            scores[key] = math.fsum(parts)
    return scores


_SEEDS = st.integers(0, 2**32)
_TERMS = st.lists(st.sampled_from([*_WORDS, "absent"]), min_size=1, max_size=4, unique=True)


@settings(max_examples=60, deadline=None)
@given(_SEEDS, _TERMS, st.integers(1, 30))
def test_the_hits_are_the_best_by_the_formula(seed: int, terms: list[str], k: int) -> None:
    documents = _documents(seed, 250)
    expected = _formula(documents, terms)
    hits = _index(documents).top(terms, k).hits
    assert len(hits) == min(k, len(expected))
    for score, key in hits:
        assert score == pytest.approx(expected[key], rel=1e-12)
    assert hits == sorted(hits, key=lambda hit: (-hit[0], hit[1]))
    found = {key for _, key in hits}
    for key, score in expected.items():
        assert key in found or score <= hits[-1][0] * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(_SEEDS, _TERMS, st.integers(1, 30), st.booleans())
def test_stopping_early_changes_nothing(seed: int, terms: list[str], k: int, filtered: bool) -> None:
    documents = _documents(seed, 250)
    index = _index(documents)

    def accept(key: str) -> bool:
        return not filtered or int(key[1:]) % 3 == 0

    everything = [hit for hit in index.top(terms, len(documents) + 1).hits if accept(hit[1])]
    assert index.top(terms, k, accept=accept).hits == everything[:k]


def test_documents_that_cannot_win_are_not_looked_at() -> None:
    documents = {f"k{number:04}": "common " + "filler " * (number % 200) for number in range(4000)}
    documents["k4000"] = "common rare"
    ranking = _index(documents).top(["common", "rare"], 5)
    assert ranking.hits[0][1] == "k4000"
    assert ranking.scored < 200


def test_of_documents_that_are_alike_the_first_are_looked_at() -> None:
    draw = random.Random(5)
    names = [f"k{number:05}" for number in draw.sample(range(10_000), 4000)]
    ranking = _index(dict.fromkeys(names, "three everyday words")).top(["three", "everyday", "words"], 10)
    assert [key for _, key in ranking.hits] == sorted(names)[:10]
    assert ranking.scored < 200


def test_those_alone_that_would_be_among_the_best_are_asked_about() -> None:
    index = _index({f"k{number:04}": "everyday words" for number in range(4000)})
    asked: list[str] = []

    def accept(key: str) -> bool:
        asked.append(key)
        return key > "k0002"

    hits = index.top(["everyday", "words"], 3, accept=accept).hits
    assert [key for _, key in hits] == ["k0003", "k0004", "k0005"]
    assert len(asked) == 6


# Weights of which the lesser vanish beside the greater, and some of which add up to others: scores that are equal
# without the weights being so.
_COARSE = st.sampled_from([1e16, 2.0, 1.0, 0.5, 1.5])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.integers(0, 150), _COARSE, max_size=150), min_size=1, max_size=4),
    st.integers(1, 6),
)
def test_rounding_hides_no_document(parts: list[dict[int, float]], k: int) -> None:
    scores: dict[int, float] = {}
    for part in parts:
        for key, weight in part.items():
            scores[key] = scores.get(key, 0.0) + weight
    expected = sorted(((score, key) for key, score in scores.items()), key=lambda hit: (-hit[0], hit[1]))
    columns = [column(part, ordered=True) for part in parts]
    assert top(columns, k, accept=None, expired=lambda: False).hits == expected[:k]


def test_a_document_whose_lighter_weight_is_rounded_away_is_found() -> None:
    # Every score is 1e16. 40 is the first of those let in, and stands last in the one column, late in the other.
    light = {**dict.fromkeys(range(50, 91), 1.0), 40: 0.5}
    heavy = dict.fromkeys(range(100), 1e16)
    columns = [column(part, ordered=True) for part in (light, heavy)]
    assert top(columns, 1, accept=lambda key: key >= 40, expired=lambda: False).hits == [(1e16, 40)]


def test_a_lesser_key_of_the_same_score_is_found_behind_both_fronts() -> None:
    # 100 scores 2.0 and is met at once; 90 does too, by other weights, and 40 documents stand before it in each column.
    first = {100: 1.5, 90: 1.0, **dict.fromkeys(range(40), 1.0)}
    second = {100: 0.5, 90: 1.0, **dict.fromkeys(range(40, 80), 1.0)}
    columns = [column(part, ordered=True) for part in (first, second)]
    assert top(columns, 1, accept=None, expired=lambda: False).hits == [(2.0, 90)]


@settings(max_examples=60, deadline=None)
@given(_SEEDS, _TERMS, st.integers(1, 30), st.booleans())
def test_a_scan_gives_the_same(seed: int, terms: list[str], k: int, filtered: bool) -> None:
    documents = _documents(seed, 250)

    def accept(key: str) -> bool:
        return int(key[1:]) % 2 == 0

    chosen = accept if filtered else None
    ranking = scan(documents.items(), terms, k, accept=chosen)
    assert ranking.hits == _index(documents).top(terms, k, accept=chosen).hits
    shuffled = list(documents.items())
    random.Random(seed).shuffle(shuffled)
    assert scan(shuffled, terms, k, accept=chosen).hits == ranking.hits


@pytest.mark.parametrize("ordered", [True, False])
def test_the_last_document_of_each_term_is_looked_at(ordered: bool) -> None:
    # 33 documents a term, 32 being looked at in one turn; the best stands last in both.
    first = {**{f"a{number:02}": 10.0 for number in range(32)}, "best": 10.0}
    second = {**{f"b{number:02}": 5.0 for number in range(32)}, "best": 5.0}
    columns = [column(part, ordered=ordered) for part in (first, second)]
    assert top(columns, 1, accept=None, expired=lambda: False).hits == [(15.0, "best")]


@settings(max_examples=60, deadline=None)
@given(_SEEDS, _TERMS, st.integers(1, 10))
def test_columns_in_order_or_not_rank_alike(seed: int, terms: list[str], k: int) -> None:
    draw = random.Random(seed)
    parts = [
        {
            number: draw.choice([0.5, 1.0, draw.random()])
            for number in draw.sample(range(300), draw.randint(0, 200))
        }
        for _ in terms
    ]
    for mixed in ([True], [False], [True, False], [False, True]):
        columns = [column(part, ordered=mixed[at % len(mixed)]) for at, part in enumerate(parts)]
        hits = top(columns, k, accept=None, expired=lambda: False).hits
        expected: list[tuple[float, int]] = []
        for number in set().union(*parts):
            score = 0.0
            for part in parts:
                score += part.get(number, 0.0)
            expected.append((score, number))
        assert hits == sorted(expected, key=lambda hit: (-hit[0], hit[1]))[:k]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "remove", "ask"]),
            st.integers(0, 8),
            st.lists(st.sampled_from(_WORDS[:4]), max_size=6).map(" ".join),
        ),
        max_size=40,
    )
)
def test_an_index_that_was_changed_is_as_one_built_anew(steps: list[tuple[str, int, str]]) -> None:
    index: InvertedIndex[int] = InvertedIndex()
    documents: dict[int, str] = {}
    for what, key, text in steps:
        if what == "put":
            index.replace(key, text)
            documents[key] = text
        elif what == "remove":
            assert index.remove(key) is (documents.pop(key, None) is not None)
        else:
            # What was asked before a change must not be remembered after it.
            assert index.top(_WORDS[:3], 5).hits == scan(documents.items(), _WORDS[:3], 5).hits
        assert len(index) == len(documents)
        assert (key in index) is (key in documents)
        assert index.term_count() == len({word for text in documents.values() for word in text.split()})
    assert index.top(_WORDS[:4], 20).hits == scan(documents.items(), _WORDS[:4], 20).hits


def test_equal_scores_stand_in_the_order_of_keys() -> None:
    numbers: InvertedIndex[int] = InvertedIndex()
    for key in (10, 9, 100, 2):
        numbers.add(key, "same text")
    assert [key for _, key in numbers.top(["text"], 3).hits] == [2, 9, 10]
    texts: InvertedIndex[str] = InvertedIndex()
    for name in ("ü", "b", "Z", "a"):
        texts.add(name, "same text")
    assert [name for _, name in texts.top(["text"], 4).hits] == ["Z", "a", "b", "ü"]


def test_a_key_is_added_once() -> None:
    index: InvertedIndex[str] = InvertedIndex(watermark=7)
    index.add("a", "one text")
    with pytest.raises(ValueError):
        index.add("a", "another")
    assert [key for _, key in index.top(["text"], 5).hits] == ["a"]
    assert index.top(["another"], 5).hits == []
    assert index.watermark == 7


def test_of_time_that_is_over_the_documents_seen_are_ranked() -> None:
    documents = {f"k{number:04}": f"common w{number}" for number in range(2000)}
    asked = 0

    def after_three() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    ranking = scan(documents.items(), ["common"], 5, expired=after_three)
    assert ranking.cut
    assert ranking.scored == 3 * 256
    assert [key for _, key in ranking.hits] == ["k0000", "k0001", "k0002", "k0003", "k0004"]
    assert _index(documents).top(["common"], 5, expired=lambda: True).cut


def test_an_index_looks_at_the_clock_while_it_ranks() -> None:
    # Where one word is frequent the other is rare: no document is the best of both, so most are looked at.
    opposed = {
        f"k{number:04}": "common " * (number % 9 + 1) + "text " * (9 - number % 9) for number in range(4000)
    }
    index = _index(opposed)
    index.top(["common", "text"], 5)  # the weights are there now: what follows is ranking alone
    asked = 0

    def never() -> bool:
        nonlocal asked
        asked += 1
        return False

    assert index.top(["common", "text"], 5, expired=never).scored > 3000
    assert asked > 10
    left = 3

    def soon() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    cut = index.top(["common", "text"], 5, expired=soon)
    assert cut.cut
    assert 0 < cut.scored <= 1024
    assert len(cut.hits) == 5
