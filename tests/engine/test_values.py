"""What the engine stores, to the exact type and limit, and what it refuses, with the place."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import math
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.engine.errors import EngineLimitExceeded, ValueRangeError, ValueTypeError
from devstate.engine.values import (
    check_event_type,
    check_key,
    decode_value,
    encode_checked,
    encode_json,
    encode_value,
)

MIB = 1024 * 1024

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | TEXTS | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)


class Colour(enum.IntEnum):
    RED = 1


class Mood(enum.StrEnum):
    GOOD = "good"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


@dataclasses.dataclass
class Point:
    x: int


class Record(msgspec.Struct):
    x: int


def exact(value: Any) -> Any:
    """A form in which equal means: same types, same order, same bits (NaN has one)."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    if isinstance(value, list):
        return ("list", [exact(item) for item in value])
    if isinstance(value, dict):
        return ("dict", [(key, exact(item)) for key, item in value.items()])
    return (type(value).__name__, value)


def nested(levels: int, innermost: Any = None, kind: type = list) -> Any:
    """`levels` containers inside one another."""
    value = innermost
    for _ in range(levels):
        value = [value] if kind is list else {"k": value}
    return value


@given(VALUES)
def test_what_is_put_comes_back_type_for_type(value: Any) -> None:
    raw = encode_value(value)
    for form in (raw, bytearray(raw), memoryview(raw)):
        assert exact(decode_value(form)) == exact(value)
    assert encode_checked(decode_value(raw)) == raw


@given(JSON_VALUES)
def test_json_values_have_the_same_bytes_as_other_values(value: Any) -> None:
    assert encode_json(value) == encode_value(value)


def test_known_bytes() -> None:
    assert encode_value("value1").hex() == "a676616c756531"
    assert (
        encode_value({"a": [None, True, -1, 1.5, b"\x00"]}).hex() == "81a16195c0c3ffcb3ff8000000000000c40100"
    )


def test_a_decoded_value_is_made_of_fresh_objects() -> None:
    raw = encode_value({"a": [1]})
    first, second = decode_value(raw), decode_value(raw)
    assert first == second
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first is not second
    assert first["a"] is not second["a"]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ((1, 2), "tuple"),
        ({1}, "set"),
        (frozenset(), "frozenset"),
        (bytearray(b"x"), "bytearray"),
        (memoryview(b"x"), "memoryview"),
        (datetime.datetime(2024, 1, 1), "datetime"),
        (datetime.date(2024, 1, 1), "date"),
        (datetime.timedelta(1), "timedelta"),
        (uuid.UUID(int=1), "UUID"),
        (decimal.Decimal(1), "Decimal"),
        (Point(1), "Point"),
        (Record(1), "Record"),
        (msgspec.UNSET, "UnsetType"),
        (msgspec.Raw(b"\x01"), "Raw"),
        (msgspec.msgpack.Ext(1, b""), "Ext"),
        (Colour.RED, "Colour"),
        (Mood.GOOD, "Mood"),
        (Text("x"), "Text"),
        (Number(1), "Number"),
        (collections.defaultdict(list), "defaultdict"),
        (collections.OrderedDict(), "OrderedDict"),
        (1j, "complex"),
        (object(), "object"),
        (int, "type"),
        ({}.keys(), "dict_keys"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
@pytest.mark.parametrize("encode", [encode_value, encode_json])
def test_any_other_type_is_refused_with_its_name_and_place(encode: Any, bad: Any, name: str) -> None:
    for value, place in (
        (bad, "$"),
        ([0, bad], "$[1]"),
        ({"a": [0, 1, 2, bad]}, "$.a[3]"),
        ({"a": {"b": 1}, "c": [[], {"d.e": bad}]}, '$.c[1]["d.e"]'),
    ):
        with pytest.raises(ValueTypeError) as caught:
            encode(value)
        assert caught.value.position == place
        assert f" {name} " in caught.value.message
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("encode", [encode_value, encode_json])
@pytest.mark.parametrize("key", [1, None, b"k", (1,), Text("k"), Mood.GOOD, True, 1.5])
def test_keys_are_exactly_text(encode: Any, key: Any) -> None:
    with pytest.raises(ValueTypeError, match=f"type {type(key).__name__}") as caught:
        encode({"a": [{"fine": 1}, {key: 1}]})
    assert caught.value.position == "$.a[1]"


def test_integers_are_i64() -> None:
    for edge in (2**63 - 1, -(2**63)):
        assert decode_value(encode_value(edge)) == edge
        assert decode_value(encode_json([edge])) == [edge]
    for beyond in (2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**400):
        for encode in (encode_value, encode_json):
            for value, place in ((beyond, "$"), ([beyond], "$[0]"), ({"a": {"b": beyond}}, "$.a.b")):
                with pytest.raises(ValueRangeError) as caught:
                    encode(value)
                assert caught.value.position == place
                assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_json_document_holds_finite_numbers_only(bad: float) -> None:
    assert exact(decode_value(encode_value([bad]))) == exact([bad])
    for value, place in ((bad, "$"), ([1.0, bad], "$[1]"), ({"a": {"b": bad}}, "$.a.b")):
        with pytest.raises(ValueRangeError) as caught:
            encode_json(value)
        assert caught.value.position == place


def test_a_json_document_holds_no_bytes() -> None:
    for value, place in ((b"x", "$"), ([b""], "$[0]"), ({"a": b"x"}, "$.a")):
        with pytest.raises(ValueTypeError, match="type bytes") as caught:
            encode_json(value)
        assert caught.value.position == place


@pytest.mark.parametrize("encode", [encode_value, encode_json])
def test_lone_surrogates_are_refused(encode: Any) -> None:
    for value, place in (("\ud800", "$"), (["ok", "a\udfff"], "$[1]"), ({"a": {"\ud800": 1}}, "$.a")):
        with pytest.raises(ValueTypeError, match="surrogate") as caught:
            encode(value)
        assert caught.value.position == place
        assert str(caught.value).isascii()


@pytest.mark.parametrize(("encode", "limit"), [(encode_value, 128), (encode_json, 100)])
@pytest.mark.parametrize("kind", [list, dict])
def test_depth_is_limited_to_the_level(encode: Any, limit: int, kind: type) -> None:
    assert decode_value(encode(nested(limit, 1, kind))) == nested(limit, 1, kind)
    for levels in (limit + 1, 5_000):
        with pytest.raises(EngineLimitExceeded) as caught:
            encode(nested(levels, 1, kind))
        assert (caught.value.what, caught.value.limit, caught.value.found) == ("depth", limit, limit + 1)


def test_the_depth_of_siblings_does_not_add_up() -> None:
    wide = [nested(99), *(nested(1) for _ in range(300)), nested(99)]
    assert decode_value(encode_json(wide)) == wide


@pytest.mark.parametrize("encode", [encode_value, encode_json])
def test_a_container_that_holds_itself_is_too_deep(encode: Any) -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    ring: dict[str, Any] = {}
    ring["a"] = [1, ring]
    for value in (loop, ring):
        with pytest.raises(EngineLimitExceeded) as caught:
            encode(value)
        assert caught.value.what == "depth"
        assert len(caught.value.position or "") <= 200


def test_shared_containers_are_stored_each_time_within_the_size() -> None:
    shared: list[Any] = ["x"]
    assert decode_value(encode_value([shared, shared])) == [["x"], ["x"]]
    value: list[Any] = []
    for _ in range(60):  # 2**60 lists when written out
        value = [value, value]
    with pytest.raises(EngineLimitExceeded) as caught:
        encode_value(value, limit=10_000)
    assert caught.value.what == "value size"


def test_size_is_limited_to_the_byte() -> None:
    for overhead, make in ((5, str), (5, bytes)):
        filler = "x" if make is str else b"x"
        assert len(encode_value(filler * (16 * MIB - overhead))) == 16 * MIB
        with pytest.raises(EngineLimitExceeded) as caught:
            encode_value(filler * (16 * MIB - overhead + 1))
        assert (caught.value.what, caught.value.limit, caught.value.found) == (
            "value size",
            16 * MIB,
            16 * MIB + 1,
        )
    text = "x" * (16 * MIB - 4)
    for call in (encode_json, encode_checked):
        with pytest.raises(EngineLimitExceeded):
            call(text)


def test_size_and_depth_can_be_set() -> None:
    assert encode_value("abc", limit=4)
    with pytest.raises(EngineLimitExceeded):
        encode_value("abc", limit=3)
    assert encode_value([[]], depth=2)
    with pytest.raises(EngineLimitExceeded):
        encode_value([[]], depth=1)
    assert encode_checked("abc", limit=4)
    with pytest.raises(EngineLimitExceeded):
        encode_checked("abc", limit=3)


def test_arrays_of_documents_are_limited_those_of_values_are_not() -> None:
    full = [None] * 1_000_000
    assert len(encode_json({"a": full})) == 1_000_008
    full.append(None)
    with pytest.raises(EngineLimitExceeded) as caught:
        encode_json({"a": full})
    assert (caught.value.what, caught.value.limit, caught.value.found) == (
        "array length",
        1_000_000,
        1_000_001,
    )
    assert caught.value.position == "$.a"
    assert len(encode_value(full)) == 1_000_006


def test_the_first_fault_in_the_order_of_the_value_is_named() -> None:
    with pytest.raises(ValueRangeError) as caught:
        encode_value([[[2**63]], (1,), {"a": {1}}])
    assert caught.value.position == "$[0][0][0]"


def test_an_error_does_not_show_the_value() -> None:
    with pytest.raises(ValueTypeError) as caught:
        encode_value({"k": ("hunter2",)})
    assert "hunter2" not in str(caught.value) + caught.value.remedy
    with pytest.raises(ValueTypeError) as caught:
        encode_value({"x" * 5_000: {1}})
    assert len(caught.value.position or "") == 200


@pytest.mark.parametrize(
    "raw", ["", "c1", "a1", "a1ff", "0101", "91" * 5000, "8180c0", "d9", "dd7fffffff", "c70cff" + "ff" * 12]
)
def test_bytes_that_are_no_value_are_refused(raw: str) -> None:
    with pytest.raises(ValueTypeError, match="not the stored form"):
        decode_value(bytes.fromhex(raw))


@given(st.binary(max_size=64))
def test_any_bytes_decode_or_are_refused(raw: bytes) -> None:
    try:
        decode_value(raw)
    except ValueTypeError as error:
        assert error.__cause__ is None


@pytest.mark.parametrize(
    ("check", "limit", "what"), [(check_key, 1024, "key"), (check_event_type, 256, "event type")]
)
def test_keys_and_event_types(check: Any, limit: int, what: str) -> None:
    for good in ("a", "x" * limit, "é" * (limit // 2), "\U0001f600" * (limit // 4), " ", "a/b.c[0]\n"):
        check(good)
    for long in ("x" * (limit + 1), "é" * (limit // 2) + "x"):
        with pytest.raises(EngineLimitExceeded) as caught:
            check(long)
        assert (caught.value.what, caught.value.limit, caught.value.found) == (what, limit, limit + 1)
    for odd in ("", "\0", "a\0b", "é\0"):
        with pytest.raises(ValueRangeError, match=what):
            check(odd)
    for wrong in (None, 1, b"a", Text("a"), Mood.GOOD, "\ud800", ["a"]):
        with pytest.raises(ValueTypeError, match=what):
            check(wrong)
