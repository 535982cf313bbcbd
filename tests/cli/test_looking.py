"""status, state, history, doctor: what they say, as text and as documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_runs import Run, entries_of, write_entries
from devstate.findings import visible_json

Call = Callable[..., Run]


def test_status_document(demo: Path, call: Call) -> None:
    document = call("status", "--json").document
    assert document.keys() >= {
        *(
            "schema",
            "workspace",
            "project",
            "current_cp",
            "no_drift",
            "chain",
            "artifacts",
            "store",
            "findings",
        ),
    }
    assert document["chain"].keys() >= {"ok", "entries", "head"}
    assert document["artifacts"].keys() == {"total", "matched", "mismatched", "missing"}
    assert document["store"] == {"backend": "files", "in_sync": None}
    assert document["chain"]["head"]["hmac"] == entries_of(demo)[-1]["hmac"][:16] + "..."
    assert (
        call("status", "--json", "--unmasked").document["chain"]["head"]["hmac"]
        == entries_of(demo)[-1]["hmac"]
    )


def test_status_is_0_whatever_it_finds(broken: Path, call: Call) -> None:
    said = call("status")
    assert said.status == 0
    assert said.out.startswith("✘")
    assert "HMAC_MISMATCH" in said.out


def test_status_is_3_where_nothing_can_be_read(demo: Path, call: Call) -> None:
    (demo / ".trae/state.json").unlink()
    assert call("status").status == 0
    (demo / ".trae/history.json").unlink()
    said = call("status")
    assert said.status == 3
    assert "INPUT_MISSING" in said.out
    document = call("status", "--json")
    assert document.status == 3
    assert document.document["error"]["code"] == "INPUT_MISSING"


def test_state_get(demo: Path, call: Call) -> None:
    state = json.loads((demo / ".trae/state.json").read_text("utf-8"))
    assert call("state", "get", "/current_cp").out == state["current_cp"] + "\n"
    assert json.loads(call("state", "get", "/agents").out) == state["agents"]
    document = call("state", "get", "--json").document
    assert document == {"schema": "devstate.state.get/1", "ok": True, "pointer": "", "value": state}


def test_state_get_says_what_is_wrong_with_the_document(demo: Path, call: Call) -> None:
    (demo / ".trae/state.json").write_text('{"project": ')
    said = call("state", "get", "/project", "--json")
    assert said.status == 1
    assert said.document["error"]["code"] == "TORN_FILE"


def test_state_checksum_is_that_of_the_bytes(demo: Path, call: Call) -> None:
    digest = hashlib.sha256((demo / ".trae/state.json").read_bytes()).hexdigest()
    assert call("state", "checksum").out == f"{digest}  .trae/state.json\n"
    assert call("state", "checksum", "--json").document["sha256"] == digest


def test_history_list_carries_the_entries_whole(demo: Path, call: Call) -> None:
    document = call("history", "list", "--limit", "0", "--json").document
    assert document["schema"] == "devstate.history.list/1"
    assert [item["entry"] for item in document["entries"]] == entries_of(demo)
    assert [item["index"] for item in document["entries"]] == list(range(24))
    assert document["total"] == document["shown"] == 24
    assert document["next_after"] is None


def test_history_list_text_masks_hmacs(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    said = call("history", "list").out
    assert all(entry["hmac"] not in said for entry in entries)
    assert entries[3]["hmac"][:8] in said
    unmasked = call("history", "list", "--unmasked").out
    assert all(entry["hmac"] in unmasked for entry in entries)


@pytest.mark.parametrize("size", [1, 5, 12, 23, 24, 100])
def test_pages_follow_each_other(size: int, demo: Path, call: Call) -> None:
    seen: list[int] = []
    after: int | None = -1
    while after is not None:
        page = call("history", "list", "--json", "--limit", size, "--after", after).document
        seen += [item["index"] for item in page["entries"]]
        after = page["next_after"]
    assert seen == list(range(24))


def test_filters_hold_together(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    actor, cp = entries[5]["actor"], entries[5]["cp_to"]

    def listed(*line: str) -> list[int]:
        return [item["index"] for item in call("history", "list", "--json", *line).document["entries"]]

    def expected(test: Callable[[dict[str, Any]], bool]) -> list[int]:
        return [number for number, entry in enumerate(entries) if test(entry)]

    assert listed("--actor", actor) == expected(lambda e: e["actor"] == actor)
    assert listed("--cp", cp) == expected(lambda e: cp in (e["cp_to"], e["cp_from"]))
    assert listed("--actor", actor, "--cp", cp) == expected(
        lambda e: e["actor"] == actor and cp in (e["cp_to"], e["cp_from"])
    )
    since, until = entries[4]["ts"], entries[9]["ts"]
    assert listed("--since", since, "--until", until) == list(range(4, 10))
    assert listed("--action", entries[7]["action"]) == expected(lambda e: e["action"] == entries[7]["action"])
    words = entries[2]["action"][:6].upper()
    found = call("history", "search", words, "--json").document
    assert found["schema"] == "devstate.history.search/1"
    assert [item["index"] for item in found["entries"]] == expected(
        lambda e: words.lower() in json.dumps(e, ensure_ascii=False).lower()
    )


def test_no_match_is_said(demo: Path, call: Call) -> None:
    said = call("history", "search", "nothing like this")
    assert said.status == 0
    assert "no entry of 24 matches" in said.out


def test_history_show(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    document = call("history", "show", "3", "--json").document
    assert document["schema"] == "devstate.history.show/1"
    assert document["entry"] == entries[3]
    assert document["hmac"]["result"] == "good" and document["link"]["result"] == "good"
    assert document["covered"] == ["ts", "actor", "action", "state_checksum", "hmac_prev"]
    assert set(document["uncovered"]) == {"cp_from", "cp_to", "metadata"}
    assert call("history", "show", "head", "--json").document["index"] == 23
    text = call("history", "show", "3").out
    assert entries[3]["action"] in text and "not covered" in text
    assert entries[3]["hmac"] not in text and entries[3]["hmac"][:16] in text


def test_history_show_of_a_broken_entry(broken: Path, call: Call) -> None:
    said = call("history", "show", "7")
    assert said.status == 0
    assert said.out.startswith("✘ Entry 7")
    assert "computed" in said.out
    document = call("history", "show", "7", "--json").document
    assert document["ok"] is False
    assert [finding["code"] for finding in document["findings"]] == ["HMAC_MISMATCH"]
    assert len(document["hmac"]["computed"]) == 19


def test_odd_values_stay_one_valid_document(demo: Path, call: Call) -> None:
    entries = entries_of(demo)
    entries[3]["metadata"] = {"big": 10**30, "text": "\x1b[2J\u202e\u2028", "nan": 1e5}
    write_entries(demo, entries)
    path = demo / ".trae/history.json"
    path.write_text(path.read_text("utf-8").replace("100000.0", "NaN"), "utf-8")
    for line in (["history", "list"], ["history", "show", "3"], ["verify"]):
        said = call(*line, "--json")
        assert "\u202e" not in said.out and "\x1b" not in said.out
        json.loads(said.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert "\x1b" not in call(*line).out


def test_listing_is_the_same_as_one_serialisation(demo: Path, call: Call) -> None:
    said = call("history", "list", "--json", "--limit", "3")
    assert said.out == visible_json(json.dumps(said.document, indent=2, ensure_ascii=False)) + "\n"


def test_an_empty_listing_is_a_document_too(demo: Path, call: Call) -> None:
    assert call("history", "list", "--json", "--actor", "nobody").document["entries"] == []


def test_doctor_says_a_remedy_for_everything_that_is_not_ok(demo: Path, call: Call) -> None:
    (demo / ".trae/state.json.tmp").write_text("{")
    said = call("doctor", "--json")
    assert said.status == 0
    checks = {check["name"]: check for check in said.document["checks"]}
    assert checks["leftovers"]["status"] == "warn"
    assert all(check["remedy"] for check in checks.values() if check["status"] != "ok")
    assert "→" in call("doctor").out


def test_doctor_fails_without_a_workspace(tmp_path: Path, call: Call) -> None:
    assert call("doctor", cwd=tmp_path).status == 3


def test_mask_check(demo: Path, call: Call) -> None:
    assert call("mask", "check", ".").status == 0
    hmac = entries_of(demo)[0]["hmac"]
    (demo / "docs/build.log").write_text(
        f"line one\nhmac={hmac}\nBEAMLINE_HMAC_SECRET=beamline-secret-key-v1\n"
    )
    said = call("mask", "check", "docs", "--json")
    assert said.status == 1
    assert {finding["code"] for finding in said.document["findings"]} == {"UNMASKED_SECRET"}
    assert {finding["where"]["line"] for finding in said.document["findings"]} == {2, 3}
    text = call("mask", "check", "docs/build.log")
    assert text.status == 1
    for shown in (said.out, text.out):
        assert hmac not in shown and "beamline-secret-key-v1" not in shown


def test_mask_check_of_a_missing_path(demo: Path, call: Call) -> None:
    said = call("mask", "check", "absent", "README.md", "--json")
    assert said.status == 3
    assert said.document["files"] == 1
    assert said.document["findings"][0]["code"] == "INPUT_MISSING"
