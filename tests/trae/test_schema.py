"""The schema gate: what is refused and where, a workspace's own schema, and agreement with a general validator."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.findings import Finding, Severity
from devstate.trae import check_history, check_state
from devstate.trae.builtin_schemas import HISTORY_SCHEMA, STATE_SCHEMA
from devstate.trae.quick_check import compile_check, ecma_pattern
from python_child import run_python

UPSTREAM = Path(__file__).parents[1] / "data" / "upstream"
STATE = json.loads((UPSTREAM / "state" / "valid_state.json").read_bytes())
ENTRIES = json.loads((UPSTREAM / "history" / "history.sample.json").read_bytes())
H64 = "ab" * 32


def places(findings: tuple[Finding, ...]) -> list[tuple[str, str | None]]:
    return [(finding.code, finding.where.pointer) for finding in findings]


def numbered(entries: list[Any]) -> Iterator[tuple[int, Any]]:
    return iter(enumerate(entries))


def text(schema: Any) -> bytes:
    return json.dumps(schema).encode()


def without(name: str, members: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != name}


def test_the_built_in_schemas_are_the_published_ones() -> None:
    assert json.loads((UPSTREAM / "STATE.schema.json").read_bytes()) == STATE_SCHEMA
    assert json.loads((UPSTREAM / "HISTORY.schema.json").read_bytes()) == HISTORY_SCHEMA
    assert compile_check(STATE_SCHEMA) is not None
    assert compile_check(HISTORY_SCHEMA) is not None


@pytest.mark.parametrize("name", ["state.sample", "valid_state", "invalid_state_no_drift_false"])
def test_upstream_states_that_satisfy_the_schema(name: str) -> None:
    raw = (UPSTREAM / "state" / f"{name}.json").read_bytes()
    assert check_state(json.loads(raw), (UPSTREAM / "STATE.schema.json").read_bytes(), raw=raw) == ()


def test_an_upstream_state_that_does_not() -> None:
    raw = (UPSTREAM / "state" / "invalid_state_missing_required.json").read_bytes()
    assert places(check_state(json.loads(raw), raw=raw)) == [
        ("SCHEMA_INVALID", "/no_drift"),
        ("SCHEMA_INVALID", "/agents"),
        ("SCHEMA_INVALID", "/artifact_checksums"),
        ("SCHEMA_INVALID", "/updated_at"),
    ]


def test_upstream_histories() -> None:
    for name in ("valid_history", "history.sample", "invalid_history_broken_chain"):
        entries = json.loads((UPSTREAM / "history" / f"{name}.json").read_bytes())
        assert check_history(numbered(entries), (UPSTREAM / "HISTORY.schema.json").read_bytes()) == ()


@pytest.mark.parametrize(
    ("path", "value", "pointer", "expected"),
    [
        (("current_cp",), "CP1", "/current_cp", r"to match ^CP\d+-[A-Z]+$"),
        (("current_cp",), "CP1-LC\n", "/current_cp", r"to match ^CP\d+-[A-Z]+$"),
        (("current_cp",), "CP\u0661-LC", "/current_cp", r"to match ^CP\d+-[A-Z]+$"),
        (("no_drift",), "yes", "/no_drift", "boolean"),
        (("no_drift",), 1, "/no_drift", "boolean"),
        (("agents",), {}, "/agents", "array"),
        (("agents", 0), None, "/agents/0", "object"),
        (("agents", 0, "status"), "done", "/agents/0/status", "one of planned, pending"),
        (("agents", 0, "started_at"), 5, "/agents/0/started_at", "string"),
        (("artifact_checksums", 1, "hash"), H64.upper(), "/artifact_checksums/1/hash", "to match"),
        (("artifact_checksums", 1, "hash"), H64 + "\n", "/artifact_checksums/1/hash", "to match"),
        (("artifact_checksums", 0, "path"), None, "/artifact_checksums/0/path", "string"),
        (("migration_params",), [], "/migration_params", "object"),
    ],
)
def test_a_state_member_that_is_refused(
    path: tuple[Any, ...], value: Any, pointer: str, expected: str
) -> None:
    state = copy.deepcopy(STATE)
    inner = state
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    raw = json.dumps(state, indent=2).encode()
    (finding,) = check_state(state, raw=raw)
    assert (finding.code, finding.severity) == ("SCHEMA_INVALID", Severity.ERROR)
    assert finding.where.pointer == pointer
    assert finding.expected is not None
    assert finding.expected.startswith(expected)
    assert finding.where.line is not None
    name = path[-1] if isinstance(path[-1], str) else "{"
    line = raw.decode().split("\n")[finding.where.line - 1]
    assert (name if value is not None or name != "{" else "null") in line


def test_a_missing_member_has_the_line_of_what_should_hold_it() -> None:
    state = copy.deepcopy(STATE)
    del state["agents"][0]["cp"]
    raw = json.dumps(state, indent=2).encode()
    (finding,) = check_state(state, raw=raw)
    assert (finding.where.pointer, finding.actual) == ("/agents/0/cp", "absent")
    assert raw.split(b"\n")[(finding.where.line or 0) - 1].strip() == b"{"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"ts": 1}, "/3/ts"),
        ({"cp_from": 1}, "/3/cp_from"),
        ({"cp_to": None}, "/3/cp_to"),
        ({"hmac": H64.upper()}, "/3/hmac"),
        ({"hmac": H64 + "\n"}, "/3/hmac"),
        ({"state_checksum": ""}, "/3/state_checksum"),
        ({"hmac_prev": None}, "/3/hmac_prev"),
        ({"metadata": []}, "/3/metadata"),
    ],
)
def test_an_entry_member_that_is_refused(change: dict[str, Any], pointer: str) -> None:
    entries = [*ENTRIES, {**ENTRIES[0], **change}, ENTRIES[0]]
    (finding,) = check_history(numbered(entries))
    assert (finding.code, finding.where.entry, finding.where.pointer) == ("SCHEMA_INVALID", 3, pointer)


def test_other_entries() -> None:
    assert places(check_history([(7, [])])) == [("SCHEMA_INVALID", "/7")]
    assert places(check_history([(7, without("cp_to", ENTRIES[0]))])) == [("SCHEMA_INVALID", "/7/cp_to")]
    assert places(check_history([(7, {**ENTRIES[0], "hmac": 1})], form="entries")) == [
        ("SCHEMA_INVALID", "/entries/7/hmac")
    ]
    assert check_history([(0, {**ENTRIES[0], "cp_from": None, "anything": {"else": 1}})]) == ()
    assert check_history([]) == ()


def test_a_refused_hmac_is_masked() -> None:
    (finding,) = check_history([(0, {**ENTRIES[0], "hmac": H64.upper()})])
    assert finding.actual == H64.upper()[:16] + "..."
    assert H64.upper() not in repr(finding)


def test_many_bad_entries_are_counted() -> None:
    findings = check_history(((index, {}) for index in range(500)), most=20)
    assert len(findings) < 40
    assert findings[-1].severity is Severity.ERROR
    assert findings[-1].message.startswith("497 more entries")


def test_only_the_published_schema_refuses() -> None:
    own = text({"type": "object", "properties": {"current_cp": {"type": "string"}}})
    state = {**without("agents", STATE), "current_cp": "any"}
    findings = check_state(state, own, raw=text(state))
    assert sorted(places(findings)) == [("SCHEMA_WEAKENED", "/agents"), ("SCHEMA_WEAKENED", "/current_cp")]
    assert {finding.severity for finding in findings} == {Severity.WARNING}


def test_only_the_own_schema_refuses() -> None:
    own = copy.deepcopy(STATE_SCHEMA)
    own["properties"]["project"] = {"type": "string", "pattern": "^x"}
    assert places(check_state(STATE, text(own))) == [("SCHEMA_INVALID", "/project")]


def test_both_refuse_the_same_place_once() -> None:
    own = copy.deepcopy(STATE_SCHEMA)
    own["properties"]["current_cp"] = {"enum": ["A"]}
    assert places(check_state({**STATE, "current_cp": "B"}, text(own))) == [("SCHEMA_INVALID", "/current_cp")]


@pytest.mark.parametrize(
    "own",
    [
        b"",
        b"{",
        b"[]",
        b'"object"',
        b"\xff",
        b'{"type": "object", "type": "array"}',
        b'{"type": "nothing"}',
        b'{"properties": 3}',
        b'{"properties": {"project": {"pattern": "("}}}',
        b'{"$schema": "https://example.com/no-such-draft"}',
        b'{"$ref": "#/definitions/none"}',
        b'{"$ref": "https://example.com/other.json"}',
        b'{"$ref": "file:///etc/hostname"}',
        b'{"$ref": "#"}',
        b"[" * 5000,
        b'{"not":' * 60 + b"{}" + b"}" * 60,
    ],
)
def test_an_own_schema_that_cannot_be_used(own: bytes) -> None:
    bad_state, bad_entry = {**STATE, "no_drift": 1}, {**ENTRIES[0], "ts": 1}
    for findings, pointer, file in [
        (check_state(bad_state, own), "/no_drift", "docs/STATE.schema.json"),
        (check_history([(0, bad_entry)], own), "/0/ts", "docs/HISTORY.schema.json"),
    ]:
        if own.startswith(b'{"not"'):  # deep, but a schema: nothing to complain about
            assert {finding.where.file for finding in findings} != {file}
            continue
        about_schema, about_document = findings
        assert about_schema.where.file == file
        assert about_schema.severity is Severity.ERROR
        assert about_document.where.pointer == pointer
        assert about_document.code == "SCHEMA_INVALID"


def test_an_unusable_part_that_only_one_entry_reaches() -> None:
    own = text({"items": {"properties": {"metadata": {"properties": {"x": {"$ref": "#/none"}}}}}})
    entries = [
        ENTRIES[0],
        {**ENTRIES[0], "metadata": {"x": 1}},
        {**ENTRIES[0], "metadata": {"x": 1}, "ts": 1},
    ]
    findings = check_history(numbered(entries), own)
    assert [(finding.where.file, finding.where.entry) for finding in findings] == [
        ("docs/HISTORY.schema.json", None),
        (".trae/history.json", 2),
    ]


@pytest.mark.parametrize("form", ["array", "entries"])
def test_an_own_schema_of_the_array(form: Any) -> None:
    before = "/entries" if form == "entries" else ""
    own = copy.deepcopy(HISTORY_SCHEMA)
    own["items"]["required"] = ["ts", "reviewed_by"]
    found = places(
        check_history(numbered([*ENTRIES[:1], without("cp_to", ENTRIES[1])]), text(own), form=form)
    )
    assert found == [
        ("SCHEMA_INVALID", f"{before}/0/reviewed_by"),
        ("SCHEMA_INVALID", f"{before}/1/reviewed_by"),
        ("SCHEMA_WEAKENED", f"{before}/1/cp_to"),
    ]
    own["items"] = {"$ref": "#/definitions/entry"}
    own["definitions"] = {"entry": {"required": ["reviewed_by"]}}
    found = places(check_history(numbered(ENTRIES[:1]), text(own), form=form))
    assert found == [("SCHEMA_INVALID", f"{before}/0/reviewed_by")]


def test_an_own_schema_of_the_whole() -> None:
    own = text({"type": "array", "minItems": 4, "items": {"required": ["x"]}})
    assert places(check_history(numbered(ENTRIES[:1]), own)) == [
        ("SCHEMA_INVALID", ""),
        ("SCHEMA_INVALID", "/0/x"),
    ]
    own = text({"type": "object", "properties": {"entries": {"maxItems": 0, "items": {"required": ["x"]}}}})
    assert places(check_history(numbered(ENTRIES[:1]), own, form="entries")) == [
        ("SCHEMA_INVALID", "/entries"),
        ("SCHEMA_INVALID", "/entries/0/x"),
    ]
    assert places(check_history(numbered(ENTRIES[:1]), own)) == [("SCHEMA_INVALID", "")]
    assert places(check_history(numbered(ENTRIES[:1]), b"false")) == [("SCHEMA_INVALID", "")]
    assert check_history(numbered(ENTRIES), b"true") == ()


def test_many_weakened_entries_do_not_hide_an_error() -> None:
    own = text({"type": "array", "items": {"properties": {"actor": {"type": "string"}}}})
    entries = [{} for _ in range(50)] + [{"actor": 1}]
    findings = check_history(numbered(entries), own, most=10)
    assert [finding.severity for finding in findings if finding.message.startswith("1 more")] == [
        Severity.ERROR
    ]


def test_members_that_an_own_schema_does_not_allow() -> None:
    own = {**STATE_SCHEMA, "additionalProperties": False}
    assert places(check_state({**STATE, "extra/1": 1}, text(own))) == [("SCHEMA_INVALID", "/extra~11")]
    own["patternProperties"] = {"^extra": {}}
    assert check_state({**STATE, "extra/1": 1}, text(own)) == ()


def test_other_keywords_say_themselves() -> None:
    own = text({"properties": {"project": {"minLength": 99}}})
    (finding,) = check_state(STATE, own)
    assert (finding.where.pointer, finding.expected) == ("/project", "minLength: 99")
    own = text({"properties": {"project": False}})
    (finding,) = check_state(STATE, own)
    assert (finding.code, finding.expected) == ("SCHEMA_INVALID", "nothing")


def test_the_general_validator_is_imported_only_for_what_fails() -> None:
    code = """
import json, sys
from devstate.trae import check_history, check_state
state, entries, schema = json.loads(sys.argv[1])
assert check_state(state, schema.encode()) == ()
assert check_history(enumerate(entries)) == ()
assert "jsonschema" not in sys.modules
assert check_history([(0, {})]) != ()
assert "jsonschema" in sys.modules
"""
    schema = (UPSTREAM / "STATE.schema.json").read_text()
    run_python(code, json.dumps([STATE, ENTRIES, schema]))


# -- agreement ---------------------------------------------------------------------------------------

SCALARS = st.sampled_from(
    [None, True, False, 0, 1, 1.0, 2.5, "", "a", "CP1-LC", "planned", H64, H64.upper(), H64[:63], "CP1-lc"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "hash", "ts", "status", "x"]), inner, max_size=4)
    ),
    max_leaves=6,
)


@st.composite
def near(draw: st.DrawFn, document: Any) -> Any:
    """The document with up to three members taken away, added, or replaced, anywhere in it."""
    result = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        inner = result
        while True:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], (dict, list)) and draw(st.booleans()):
                inner = inner[key]
                continue
            if draw(st.integers(0, 2)) == 0:
                del inner[key]
            else:
                inner[key] = draw(VALUES)
            break
    return result


def by_library(schema: Any, value: Any) -> list[str]:
    """Where the general validator alone refuses, as pointers; a missing member counts at its own place."""
    found: list[str] = []
    for error in jsonschema.Draft7Validator(schema).iter_errors(value):
        path = list(error.absolute_path)
        if error.validator == "required":
            path.append(error.message.split("'")[1])
        found.append("".join(f"/{part}" for part in path))
    return sorted(set(found))


@settings(deadline=None, max_examples=150)
@given(near(STATE))
def test_states_are_judged_as_by_a_general_validator(state: Any) -> None:
    mine = sorted({finding.where.pointer or "" for finding in check_state(state)})
    assert mine == by_library(STATE_SCHEMA, state)


@settings(deadline=None, max_examples=150)
@given(near(ENTRIES))
def test_histories_are_judged_as_by_a_general_validator(entries: Any) -> None:
    mine = sorted({finding.where.pointer or "" for finding in check_history(numbered(entries))})
    assert mine == by_library(HISTORY_SCHEMA, entries)


TYPES = ["string", "boolean", "null", "array", "object", "integer", "number"]
NAMES = st.sampled_from(["id", "hash", "ts", "status", "x"])
PATTERNS = st.sampled_from(["^a", "a$", "^[a-f0-9]{64}$", r"^CP\d+-[A-Z]+$", "", "[$]", r"\$"])


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": st.sampled_from(TYPES)
        | st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "additionalProperties": st.booleans() | st.just({}),
        "items": inner,
        "pattern": PATTERNS,
        "enum": st.lists(st.sampled_from(["", "a", "planned"]), min_size=1, unique=True),
        "title": st.just("t"),
    }
    return st.fixed_dictionaries({}, optional=keywords)


SCHEMAS = st.recursive(st.just(True) | schemas(st.just(True)), schemas, max_leaves=4)


@settings(deadline=None, max_examples=400)
@given(SCHEMAS, VALUES)
@example({"type": "integer"}, 1.0)
@example({"enum": ["a"]}, 1)
@example({"required": ["x"], "properties": {"x": {"type": "string"}}}, {})
@example({"additionalProperties": False}, {"x": 1})
def test_the_quick_test_never_accepts_what_a_general_validator_refuses(schema: Any, value: Any) -> None:
    quick = compile_check(schema)
    assert quick is not None
    accepted = jsonschema.Draft7Validator(schema).is_valid(value)
    if quick(value):
        assert accepted
    else:
        # The one thing left to the general validator on purpose: 1.0 is an integer too.
        assert not accepted or "integer" in json.dumps(schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"$ref": "#"},
        {"minLength": 1},
        {"items": [{}]},
        {"enum": [1]},
        {"type": "any"},
        {"type": []},
        {"properties": []},
        {"required": "x"},
        {"required": [1]},
        {"additionalProperties": {"type": "string"}},
        {"additionalProperties": 1},
        {"pattern": "("},
        {"pattern": 1},
        {"$schema": "http://json-schema.org/draft-04/schema#"},
        {"properties": {"x": {"$id": "other"}}},
    ],
)
def test_what_the_quick_test_leaves_to_the_general_one(schema: Any) -> None:
    assert compile_check(schema) is None


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("a$", "a", True),
        ("a$", "a\n", False),
        ("[$]", "$", True),
        (r"\$", "$", True),
        (r"[\]$]", "$", True),
        (r"\\$", "\\", True),
        (r"\d", "\u0661", False),
        (r"^b", "a\nb", False),
    ],
)
def test_patterns_mean_what_the_standard_says(pattern: str, value: str, found: bool) -> None:
    assert (ecma_pattern(pattern).search(value) is not None) is found
