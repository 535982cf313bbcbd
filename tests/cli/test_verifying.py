"""verify and validate: documents, texts, formats, statuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from command_runs import Run, entries_of, write_entries

Call = Callable[..., Run]
PRIVATE = "a private secret of the tests"


def test_a_good_history(demo: Path, call: Call) -> None:
    said = call("verify", "--json")
    assert said.status == 0
    document = said.document
    assert document.keys() >= {
        *(
            "schema",
            "ok",
            "entries",
            "verified",
            "first_bad",
            "head",
            "keys",
            "answers",
            "findings",
            "elapsed_ms",
        ),
    }
    assert document["ok"] is True
    assert document["entries"] == document["verified"] == 24
    assert document["first_bad"] is None
    assert document["head"] == {"index": 23, "hmac": entries_of(demo)[23]["hmac"][:16] + "..."}
    assert list(document["answers"]) == ["integrity", "authenticity", "completeness", "time"]
    assert document["answers"]["integrity"]["status"] == "yes"
    assert said.codes == {"WEAK_KEY", "UNCOVERED_FIELD", "COMPLETENESS_UNPROVEN", "NOT_PROVABLE"}


def test_the_text_says_verdict_break_and_next_step(broken: Path, call: Call) -> None:
    said = call("verify")
    assert said.status == 1
    lines = said.out.splitlines()
    assert lines[0] == "✘ BROKEN  .trae/history.json: 23 of 24 entries are good, first bad 7"
    assert any(line.startswith("  integrity     ✘") for line in lines)
    stored = entries_of(broken)[7]["hmac"]
    first = lines.index("  First break")
    told = "\n".join(lines[first : first + 8])
    assert "HMAC_MISMATCH" in told and "entry 7, line" in told
    assert "expected" in told and "actual" in told and stored[:16] + "..." in told and "→" in told
    assert "cannot be proven" in said.out
    assert lines[-1].startswith("  next  devstate history show 7")
    assert len(lines) < 45


def test_many_findings_are_cut(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    for entry in entries:
        entry["hmac"] = entry["hmac"].upper()
        entry["hmac_prev"] = entry["hmac_prev"].upper()
    write_entries(demo, entries)
    text = call("verify").out
    assert "... and" in text and "more (see --json)" in text
    assert len(call("verify", "--json").document["findings"]) > 20


def test_old_names_are_the_same_command(broken: Path, call: Call) -> None:
    for name in ("verify_chain", "verify-chain"):
        said = call(name, "--json")
        assert said.status == 1
        assert said.document["schema"] == "devstate.verify/1"


def test_strict_fails_on_warnings_and_on_an_unproven_completeness(demo: Path, call: Call) -> None:
    assert call("verify", "--strict").status == 4
    assert call("verify").status == 0
    said = call("validate", "--strict")
    assert said.status == 4
    assert said.out.startswith("! NO DRIFT, BUT AGAINST POLICY")


def test_a_lone_file_needs_no_workspace(demo: Path, tmp_path: Path, call: Call) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    copy = elsewhere / "some history.json"
    copy.write_bytes((demo / ".trae/history.json").read_bytes())
    said = call("verify", copy.name, "--json", cwd=elsewhere)
    assert said.status == 0
    assert said.document["file"] == "some history.json"
    assert said.document["verified"] == 24
    by_root = call("verify", demo / ".trae/history.json", "--json", cwd=elsewhere)
    assert by_root.document["file"] == ".trae/history.json"


def test_jobs_change_nothing(broken: Path, call: Call) -> None:
    one, two = (call("verify", "--json", "--jobs", jobs).document for jobs in (1, 2))
    assert one | {"elapsed_ms": 0} == two | {"elapsed_ms": 0}


def test_wrong_key_and_no_key_cannot_decide(demo: Path, call: Call) -> None:
    said = call("verify", "--json", env={"BEAMLINE_HMAC_SECRET": PRIVATE})
    assert said.status == 3
    assert "WRONG_KEY" in said.codes and "HMAC_MISMATCH" not in said.codes
    assert call("verify", env={"BEAMLINE_HMAC_SECRET": PRIVATE}).out.startswith("? CANNOT DECIDE")
    said = call("verify", "--json", env={"CI": "true"})
    assert said.status == 3
    assert "KEY_MISSING" in said.codes


def test_a_public_key_in_ci(demo: Path, call: Call) -> None:
    public = {"CI": "true", "BEAMLINE_HMAC_SECRET": "beamline-secret-key-v1"}
    assert call("verify", env=public).status == 3
    assert call("verify", "--allow-public-key", env=public).status == 0
    assert call("verify", "--strict", "--allow-public-key", env=public).status == 4
    assert call("verify", env={**public, "ALLOW_DEFAULT_HMAC_SECRET": "true"}).status == 0


def test_secret_file_and_key_ring(demo: Path, call: Call) -> None:
    secret = demo / "secret.txt"
    secret.write_text("beamline-secret-key-v1\n")
    ring = demo / "ring.json"
    ring.write_text(json.dumps({"keys": [{"kid": "main", "secret_file": "secret.txt"}]}))
    public = {"CI": "true", "ALLOW_DEFAULT_HMAC_SECRET": "true"}
    assert call("verify", "--secret-file", secret, env=public).status == 0
    document = call("verify", "--keyring", ring, "--json", env=public).document
    assert [key["kid"] for key in document["keys"]] == ["main"]
    absent = call("verify", "--secret-file", "absent", "--json")
    assert absent.status == 3
    assert "KEY_MISSING" in absent.codes


def test_integrity_goes_before_undecidable(broken: Path, call: Call) -> None:
    public = {"CI": "true", "BEAMLINE_HMAC_SECRET": "beamline-secret-key-v1"}
    said = call("verify", "--json", env=public)
    assert {"HMAC_MISMATCH", "WEAK_KEY"} <= said.codes
    assert said.status == 1


def test_formats_say_the_same(broken: Path, call: Call) -> None:
    sarif = json.loads(call("verify", "--format", "sarif").out)
    assert sarif["version"] == "2.1.0"
    results = {result["ruleId"]: result for result in sarif["runs"][0]["results"]}
    where = call("verify", "--json").document["findings"][0]["where"]
    place = results["HMAC_MISMATCH"]["locations"][0]["physicalLocation"]
    assert place["region"]["startLine"] == where["line"]
    junit = ET.fromstring(call("verify", "--format", "junit").out)
    assert [case.attrib["name"] for case in junit.iter("testcase") if case.find("failure") is not None] == [
        "hmac"
    ]
    for form in ("markdown", "html"):
        said = call("verify", "--format", form)
        assert said.status == 1
        assert "HMAC" in said.out and "entry 7" in said.out
    assert call("verify", "--format", "json").document["schema"] == "devstate.verify/1"
    assert call("verify", "--json", "--format", "json").status == 1
    assert call("verify", "--json", "--format", "sarif").status == 2


def test_data_cannot_steer_the_terminal_or_a_report(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    entries[5]["actor"] = "\x1b[2J\u202e<script>alert(1)</script>"
    write_entries(demo, entries)
    for form in ("text", "json", "sarif", "junit", "markdown", "html"):
        out = call("verify", "--format", form).out
        assert "\x1b" not in out and "\u202e" not in out
        if form in ("markdown", "html", "junit"):
            assert "<script" not in out
    for line in (["history", "list"], ["history", "show", "5"], ["status"]):
        assert "\x1b" not in call(*line).out


def test_validate_document(demo: Path, call: Call) -> None:
    said = call("validate", "--json")
    assert said.status == 0
    assert [check["name"] for check in said.document["checks"]] == [
        *("no_drift", "state_json", "state_schema", "artifacts", "history_json", "history_schema", "chain"),
    ]
    assert all(check["ok"] for check in said.document["checks"])
    assert said.document["artifacts"].keys() == {"total", "matched", "mismatched", "missing"}


def test_validate_finds_an_edited_artifact_and_verify_does_not(demo: Path, call: Call) -> None:
    (demo / "docs/architecture.md").write_text("edited")
    assert call("verify").status == 0
    said = call("validate", "--json")
    assert said.status == 1
    assert "ARTIFACT_MISMATCH" in said.codes
    assert [check["name"] for check in said.document["checks"] if not check["ok"]] == ["artifacts"]
    text = call("validate").out
    assert text.startswith("✘ DRIFT") and "docs/architecture.md" in text


def test_validate_formats(demo: Path, call: Call) -> None:
    suite = ET.fromstring(call("validate", "--format", "junit").out)[0]
    assert next(case.attrib["name"] for case in suite.iter("testcase")) == "no_drift"
    assert json.loads(call("validate", "--format", "sarif").out)["version"] == "2.1.0"


@pytest.mark.parametrize("name", ["state.json", "history.json"])
def test_a_missing_document(name: str, demo: Path, call: Call) -> None:
    (demo / ".trae" / name).unlink()
    said = call("validate", "--json")
    assert said.status == 3
    assert "INPUT_MISSING" in said.codes
    said = call("verify", "--json")
    if name == "history.json":
        assert said.status == 3
        assert said.document["error"]["code"] == "INPUT_MISSING"
        assert said.document["answers"]["integrity"]["status"] == "unknown"
    else:
        assert said.status == 0
