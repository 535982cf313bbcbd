"""state.json: what the strict parse refuses and where, and that it agrees with the standard parser otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstate.chain import Limits
from devstate.findings import Finding, Severity
from devstate.trae import StateDocument, check_no_drift, parse_state

UPSTREAM = Path(__file__).parents[1] / "data" / "upstream" / "state"


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def parsed(data: bytes, **limits: int) -> tuple[StateDocument | None, tuple[Finding, ...]]:
    return parse_state(data, limits=Limits(**limits))


def test_an_upstream_state_is_typed_and_kept_whole() -> None:
    data = (UPSTREAM / "state.sample.json").read_bytes()
    state, findings = parse_state(data)
    assert findings == ()
    assert state is not None
    assert state.document == json.loads(data)
    assert (state.project, state.current_cp, state.no_drift) == ("beamline-constructor", "CP0-LC", True)
    assert [agent.id for agent in state.agents] == ["AGENT_1_REPO_STATE"]
    assert [(item.index, item.path) for item in state.artifacts] == [
        (0, "README.md"),
        (1, "proto/beamline/flow/v1/flow.proto"),
    ]


def test_unknown_members_are_kept_in_order() -> None:
    state, findings = parse_state(b'{"z":{"y":[1,2.5,null]},"project":"p","a":"\\u0041"}')
    assert findings == ()
    assert state is not None
    assert list(state.document) == ["z", "project", "a"]
    assert state.document["z"] == {"y": [1, 2.5, None]}


def test_members_of_other_types_are_left_to_the_schema() -> None:
    state, findings = parse_state(
        b'{"project":1,"agents":[3,{"id":"A"}],"artifact_checksums":[{"hash":"h"},{"path":"p"}]}'
    )
    assert findings == ()
    assert state is not None
    assert state.project == ""
    assert [agent.id for agent in state.agents] == ["A"]
    assert [(item.index, item.path, item.hash) for item in state.artifacts] == [(1, "p", "")]


@pytest.mark.parametrize(
    ("data", "code", "pointer", "line", "offset"),
    [
        (b"", "TORN_FILE", "", 1, 0),
        (b" \n ", "TORN_FILE", "", 2, 3),
        (b'{"a": 1', "TORN_FILE", "/a", 1, 7),
        (b'{\n"a": "x', "TORN_FILE", "/a", 2, 9),
        (b'{"a": "x\\u00', "TORN_FILE", "/a", 1, 12),
        (b'{"a": tru', "TORN_FILE", "/a", 1, 6),
        (b'{"a": 1,}', "TORN_FILE", "/a", 1, 8),
        (b'{"a": [1 2]}', "TORN_FILE", "/a/0", 1, 9),
        (b'{"a" 1}', "TORN_FILE", "/a", 1, 5),
        (b"{1: 2}", "TORN_FILE", "", 1, 1),
        (b'{"a": 01}', "TORN_FILE", "/a", 1, 7),
        (b'{"a": "\n"}', "TORN_FILE", "/a", 1, 7),
        (b'{"a": "\\q"}', "TORN_FILE", "/a", 1, 7),
        (b"{} x", "TORN_FILE", "", 1, 3),
        (b"{}\n{}", "TORN_FILE", "", 2, 3),
        (b"{]", "TORN_FILE", "", 1, 1),
        (b"\xff{}", "ENCODING", "", 1, 0),
        (b'{"a": "\xc3("}', "ENCODING", "/a", 1, 7),
        (b'{"a": "\xed\xa0\x80"}', "ENCODING", "/a", 1, 7),
        ('{"a": 1}'.encode("utf-16"), "ENCODING", "", 1, 0),
        (b'{"a": "\\ud800"}', "ENCODING", "/a", 1, 6),
        (b'{"\\udc00": 1}', "ENCODING", "", 1, 1),
        (b'{"a": "\\ude00\\ud83d"}', "ENCODING", "/a", 1, 6),
        (b'{"a": 9007199254740992}', "CANON_UNREPRESENTABLE", "/a", 1, 6),
        (b'{"a": -9007199254740993}', "CANON_UNREPRESENTABLE", "/a", 1, 6),
        (b'{"a": [{"b": 1E400}]}', "CANON_UNREPRESENTABLE", "/a/0/b", 1, 13),
        (b'{"a": NaN}', "CANON_UNREPRESENTABLE", "/a", 1, 6),
        (b'{"a": -Infinity}', "CANON_UNREPRESENTABLE", "/a", 1, 6),
        (b'{"a": ' + b"9" * 5000 + b"}", "CANON_UNREPRESENTABLE", "/a", 1, 6),
        (b"[" * 100_000, "LIMIT_EXCEEDED", "/0" * 64, 1, 64),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "LIMIT_EXCEEDED", "/a" * 64, 1, 320),
    ],
)
def test_what_gives_no_document(data: bytes, code: str, pointer: str, line: int, offset: int) -> None:
    state, findings = parse_state(data)
    assert state is None
    assert codes(findings) == [code]
    where = findings[0].where
    assert (where.pointer, where.line, where.offset) == (pointer, line, offset)
    assert findings[0].severity is Severity.ERROR
    assert findings[0].remedy


@pytest.mark.parametrize("data", [b"[]", b"3", b"null", b'"text"'])
def test_a_state_is_an_object(data: bytes) -> None:
    state, findings = parse_state(data)
    assert state is None
    assert codes(findings) == ["SCHEMA_INVALID"]
    assert findings[0].where.pointer == ""


@pytest.mark.parametrize(
    ("data", "code", "pointer", "value"),
    [
        (b'{"a": 1, "a": 2}', "DUPLICATE_KEY", "/a", {"a": 2}),
        (b'{"a": 1, "\\u0061": 2}', "DUPLICATE_KEY", "/a", {"a": 2}),
        (b'{"x": [0, {"a": 1, "b": 1, "a": 1}]}', "DUPLICATE_KEY", "/x/1/a", {"x": [0, {"a": 1, "b": 1}]}),
        (b"\xef\xbb\xbf{}", "ENCODING", "", {}),
    ],
)
def test_an_error_that_leaves_a_document(data: bytes, code: str, pointer: str, value: Any) -> None:
    state, findings = parse_state(data)
    assert codes(findings) == [code]
    assert findings[0].where.pointer == pointer
    assert state is not None
    assert state.document == value


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\u202e", "\x07", "\x7f", "\x9b", "\r", "\u2067", "\u061c", "\u200f", "\u2028"]
)
@pytest.mark.parametrize("escaped", [True, False])
def test_control_characters_are_a_warning(text: str, escaped: bool) -> None:
    quoted = json.dumps(text, ensure_ascii=escaped)
    state, findings = parse_state(f'{{"note": {quoted}}}'.encode())
    assert state is not None
    assert [(finding.code, finding.severity) for finding in findings] == [("CONTROL_CHARS", Severity.WARNING)]
    assert findings[0].where.pointer == "/note"
    assert all(text not in part for part in (findings[0].message, findings[0].actual or ""))


@pytest.mark.parametrize("text", ["tab\tand\nline", "emoji \U0001f600", "Ω u\u0308", "\\u001b spelled out"])
def test_ordinary_text_is_no_warning(text: str) -> None:
    for escaped in (True, False):
        state, findings = parse_state(json.dumps({"n": text}, ensure_ascii=escaped).encode())
        assert findings == ()
        assert state is not None
        assert state.document == {"n": text}


def test_every_fault_of_a_value_is_found() -> None:
    data = b'{"a": NaN,\n"a": "\\ud800",\n"b": [1e999, "\\u001b"]}'
    state, findings = parse_state(data)
    assert state is None
    assert [(finding.code, finding.where.line) for finding in findings] == [
        ("CANON_UNREPRESENTABLE", 1),
        ("DUPLICATE_KEY", 2),
        ("ENCODING", 2),
        ("CANON_UNREPRESENTABLE", 3),
        ("CONTROL_CHARS", 3),
    ]


def test_limits() -> None:
    assert codes(parsed(b'{"a": [1]}', file_bytes=9)[1]) == ["LIMIT_EXCEEDED"]
    assert parsed(b'{"a": [1]}', file_bytes=10)[1] == ()
    assert codes(parsed(b'{"a": [1]}', depth=1)[1]) == ["LIMIT_EXCEEDED"]
    assert parsed(b'{"a": [1]}', depth=2)[1] == ()
    assert parsed(b'{"a": "[[[[[[{{{{"}', depth=1)[1] == ()
    many = b'{"a": [' + b",".join([b"NaN"] * 50) + b"]}"
    assert len(parsed(many, findings_per_code=7)[1]) == 7
    assert len(parse_state(many.replace(b"NaN", b'"\\u001b"'))[1]) == 50
    assert len(parse_state(b'{"a": [' + b",".join([b"NaN"] * 5000) + b"]}")[1]) == 1000


def test_no_drift() -> None:
    for text, actual in [
        (b'{"no_drift": false}', "false"),
        (b'{\n"no_drift": "true"}', "string"),
        (b'{"no_drift": 1}', "number"),
        (b"{}", "absent"),
    ]:
        state, _ = parse_state(text)
        assert state is not None
        (finding,) = check_no_drift(state, raw=text)
        assert (finding.code, finding.actual) == ("NO_DRIFT_FALSE", actual)
        assert finding.where.line == text.count(b"\n") + 1
    state, _ = parse_state(b'{"no_drift": true}')
    assert state is not None
    assert check_no_drift(state) == ()


@given(st.data())
def test_a_cut_file_is_torn(data: st.DataObject) -> None:
    whole = (UPSTREAM / "state.sample.json").read_bytes().rstrip()
    end = data.draw(st.integers(0, len(whole) - 1))
    state, findings = parse_state(whole[:end])
    assert state is None
    assert codes(findings) == ["TORN_FILE"]
    assert findings[0].where.offset is not None
    assert findings[0].where.offset <= end
