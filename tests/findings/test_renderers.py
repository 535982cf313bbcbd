"""Each renderer says all of a finding, in its own format, and lets nothing of the data become markup."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.findings import (
    CODES,
    Finding,
    Report,
    ReportCheck,
    Severity,
    Where,
    counted,
    exit_code,
    finding_document,
    findings_document,
    render_finding,
    render_html,
    render_junit,
    render_markdown,
    render_sarif,
    render_text,
)

BROKEN = Finding(
    "CHAIN_LINK_BROKEN",
    Severity.ERROR,
    "entry 3 does not follow entry 2",
    Where(".trae/history.json", 3, "/3/hmac_prev", 120, 4096),
    expected="9154f9aa00112233...",
    actual="88a67abb00112233...",
    remedy="Restore the order from an earlier copy.",
)
WEAK = Finding("WEAK_KEY", Severity.WARNING, "a public default", remedy="Use another secret.")
NOTE = Finding("UNCOVERED_FIELD", Severity.INFO, "v1 leaves metadata open", Where(".trae/history.json"))

NASTY = (
    "\x1b[2J<script>alert('x')</script> | [a](javascript:b) @team `c` ]]> &lt; \u202e \ud800 \ufffe\n# title"
)

texts = st.one_of(st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]))), st.just(NASTY))
wheres = st.builds(
    Where,
    file=st.none() | texts,
    entry=st.none() | st.integers(0, 10**6),
    pointer=st.none() | texts,
    line=st.none() | st.integers(1, 10**6),
    offset=st.none() | st.integers(0, 10**9),
)
findings_of_any_kind = st.builds(
    Finding,
    code=st.sampled_from(sorted(CODES)),
    severity=st.sampled_from(Severity),
    message=texts,
    where=wheres,
    expected=st.none() | texts,
    actual=st.none() | texts,
    remedy=texts,
)


def report_of(*findings: Finding) -> Report:
    status = exit_code(findings)
    return Report(
        title="History of " + NASTY,
        ok=status == 0,
        verdict=counted(findings),
        exit_status=status,
        version="1.2.3",
        facts=(("entries", "12"), ("head", NASTY)),
        checks=(
            ReportCheck("links", all(f.severity is not Severity.ERROR for f in findings), "", findings),
            ReportCheck("pin", None, "no pin " + NASTY),
        ),
        findings=findings,
        limits=("a truncated tail",),
    )


def no_control_characters(text: str) -> None:
    for char in text:
        assert char == "\n" or unicodedata.category(char) not in ("Cc", "Cs"), repr(char)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)


# -- text ------------------------------------------------------------------------------------------


def test_text_says_place_expected_actual_and_remedy() -> None:
    assert render_finding(BROKEN) == (
        "  ✘ CHAIN_LINK_BROKEN  .trae/history.json, entry 3, line 120, /3/hmac_prev\n"
        "    entry 3 does not follow entry 2\n"
        "    expected  9154f9aa00112233...\n"
        "    actual    88a67abb00112233...\n"
        "    → Restore the order from an earlier copy."
    )


def test_text_puts_errors_first_and_says_how_many_are_left_out() -> None:
    text = render_text([NOTE, WEAK, *[BROKEN] * 30], limit=20)
    assert text.startswith("  ✘ CHAIN_LINK_BROKEN")
    assert text.count("CHAIN_LINK_BROKEN") == 20
    assert text.endswith("... and 12 more (see --json)")
    assert text.count("→ Restore the order") == 1
    assert render_text([]) == ""


def test_text_wraps_at_the_width() -> None:
    long = Finding("WEAK_KEY", Severity.WARNING, "word " * 60, remedy="a remedy " * 30)
    assert max(map(len, render_finding(long, width=60).split("\n"))) <= 60


def test_colour_only_where_asked() -> None:
    assert "\x1b[" not in render_text([BROKEN, WEAK])
    coloured = render_text([BROKEN, WEAK], colour=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == render_text([BROKEN, WEAK])


@given(findings_of_any_kind)
def test_text_holds_no_control_character(finding: Finding) -> None:
    no_control_characters(render_finding(finding))


# -- JSON ------------------------------------------------------------------------------------------


def test_document_has_the_shape_of_the_contract() -> None:
    assert finding_document(BROKEN) == {
        "code": "CHAIN_LINK_BROKEN",
        "severity": "error",
        "message": "entry 3 does not follow entry 2",
        "where": {
            "file": ".trae/history.json",
            "entry": 3,
            "pointer": "/3/hmac_prev",
            "line": 120,
            "offset": 4096,
        },
        "expected": "9154f9aa00112233...",
        "actual": "88a67abb00112233...",
        "remedy": "Restore the order from an earlier copy.",
    }
    assert findings_document([NOTE])[0]["where"] == {"file": ".trae/history.json"}


def test_counts_in_words() -> None:
    assert counted([BROKEN, WEAK, WEAK, NOTE]) == "1 error, 2 warnings, 1 note"
    assert counted([]) == "none"


# -- SARIF -----------------------------------------------------------------------------------------


def check_sarif(log: Any) -> None:
    """The members that SARIF 2.1.0 requires, and the constraints on those used here."""
    assert log["version"] == "2.1.0"
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert driver["name"]
        rules = driver["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)
        for rule in rules:
            assert rule["shortDescription"]["text"] and rule["help"]["text"]
        for invocation in run["invocations"]:
            assert invocation["executionSuccessful"] in (True, False)
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            for location in result.get("locations", []):
                physical = location["physicalLocation"]
                assert re.fullmatch(r"(file://)?[A-Za-z0-9._~/%-]+", physical["artifactLocation"]["uri"])
                region = physical.get("region", {"startLine": 1})
                assert region.get("startLine", 1) >= 1
                assert region.get("byteOffset", 0) >= 0
                assert "startLine" in region or "byteOffset" in region


def test_sarif_places_a_finding_at_its_line() -> None:
    log = json.loads(render_sarif(report_of(BROKEN, WEAK)))
    check_sarif(log)
    first = log["runs"][0]["results"][0]
    assert first["ruleId"] == "CHAIN_LINK_BROKEN"
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": ".trae/history.json"},
        "region": {"startLine": 120},
    }
    assert "Expected: 9154f9aa00112233..." in first["message"]["text"]
    assert log["runs"][0]["invocations"] == [{"executionSuccessful": True, "exitCode": 1}]


@given(st.lists(findings_of_any_kind, max_size=4))
def test_sarif_is_valid_for_any_finding(findings: list[Finding]) -> None:
    text = render_sarif(report_of(*findings))
    no_control_characters(text)
    check_sarif(json.loads(text))


# -- JUnit -----------------------------------------------------------------------------------------


def test_junit_has_one_case_a_check() -> None:
    suite = ET.fromstring(render_junit(report_of(BROKEN, WEAK)))[0]
    assert suite.attrib["tests"] == "2"
    assert suite.attrib["failures"] == "1"
    assert suite.attrib["skipped"] == "1"
    links, pin = suite.findall("testcase")
    failure = links.find("failure")
    assert failure is not None and failure.attrib["type"] == "CHAIN_LINK_BROKEN"
    assert "expected 9154f9aa00112233..." in (failure.text or "")
    assert "WEAK_KEY" in (links.findtext("system-out") or "")
    assert pin.find("skipped") is not None


@given(st.lists(findings_of_any_kind, max_size=4))
def test_junit_is_well_formed_for_any_finding(findings: list[Finding]) -> None:
    text = render_junit(report_of(*findings))
    no_control_characters(text)
    suite = ET.fromstring(text)[0]
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    assert len(suite.findall("testcase/failure")) == int(failed)


# -- Markdown and HTML -----------------------------------------------------------------------------


def test_markdown_lets_no_markup_of_the_data_through() -> None:
    text = render_markdown(
        report_of(Finding("WEAK_KEY", Severity.WARNING, NASTY, Where(NASTY), NASTY, NASTY, NASTY))
    )
    no_control_characters(text)
    assert "<script" not in text
    assert "](javascript" not in text
    assert not re.search(r"(?<!\\)`", text)
    assert "@team" not in text
    assert "\n# title" not in text


def test_markdown_says_everything() -> None:
    text = render_markdown(report_of(BROKEN)).replace("\\", "")
    for part in (
        "CHAIN_LINK_BROKEN",
        "entry 3, line 120",
        BROKEN.message,
        BROKEN.expected,
        BROKEN.actual,
        BROKEN.remedy,
    ):
        assert part is not None and part in text
    assert "## What this cannot prove" in text


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


ALLOWED_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "table",
        "tr",
        "th",
        "td",
        "ul",
        "li",
    ),
    *("article", "strong", "span", "code", "dl", "dt", "dd"),
}


@settings(max_examples=50)
@given(st.lists(findings_of_any_kind, max_size=3))
@example([Finding("WEAK_KEY", Severity.WARNING, NASTY, Where(NASTY, 1, NASTY), NASTY, NASTY, NASTY)])
def test_html_holds_only_its_own_elements(findings: list[Finding]) -> None:
    text = render_html(report_of(*findings))
    no_control_characters(text)
    page = Page()
    page.feed(text)
    page.close()
    assert set(page.tags) <= ALLOWED_TAGS
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert page.tags.count("article") == len(findings)


def test_html_says_everything() -> None:
    page = Page()
    page.feed(render_html(report_of(BROKEN)))
    words = " ".join(page.texts)
    for part in (
        "CHAIN_LINK_BROKEN",
        BROKEN.message,
        BROKEN.expected,
        BROKEN.actual,
        BROKEN.remedy,
        "a truncated tail",
    ):
        assert part is not None and part in words


@pytest.mark.parametrize("render", [render_sarif, render_junit, render_markdown, render_html])
def test_the_same_report_gives_the_same_bytes(render: Any) -> None:
    assert render(report_of(BROKEN, WEAK, NOTE)) == render(report_of(BROKEN, WEAK, NOTE))
