"""Scenarios of the Overview in a real pseudo-terminal: a question, the keys, the answer on screen."""

from __future__ import annotations

from pathlib import Path

from terminal_session import Session


def test_can_it_be_trusted(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("✘ BROKEN", "entry 160 of 240", "Integrity", "Authenticity", "Completeness", "Time")
        session.wait_for("READ-ONLY", "LIVE")
        assert session.end() == 0


def test_what_is_wrong_and_what_is_to_be_done(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("✘ BROKEN")
        session.press("f")
        session.press("enter")
        session.wait_for("HMAC_MISMATCH", "What to do")
        session.press("escape")
        session.wait_until_gone("What to do")


def test_a_finding_leads_to_its_entry(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("✘ BROKEN")
        session.press("f")
        session.press("enter")
        session.wait_for("Show entry 160")
        session.press("tab", "enter")
        session.wait_for("▌  160 B", "B broken")


def test_is_it_still_true_after_a_full_verification(demo: Path, home: Path) -> None:
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("v")
        session.wait_for("120", "devstate verify")
        session.press("escape")
        assert session.end() == 0


def test_what_do_the_keys_do(demo: Path, home: Path) -> None:
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("?")
        session.wait_for("Keys of Overview", "Go to the list of findings")
        session.press("escape")
        session.press(":")
        session.wait_for("Search")
        session.press("escape")
        assert session.end() == 0


def test_the_verdict_turns_as_the_file_does(demo: Path, home: Path) -> None:
    history = demo / ".trae" / "history.json"
    good = history.read_bytes()
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        history.write_bytes(good.replace(b'"action": "', b'"action": "x', 1))
        session.wait_for("✘ BROKEN")
        history.write_bytes(good)
        session.wait_until_gone("✘ BROKEN")


def test_a_fault_of_the_state_is_told_without_colour(demo: Path, home: Path) -> None:
    state = demo / ".trae" / "state.json"
    good = state.read_bytes()
    with Session(str(demo), home=home, environ={"NO_COLOR": "1"}) as session:
        session.wait_for("120 entries")
        state.write_bytes(good[:40])
        session.wait_for("✘")
        assert session.colours() == {"default"}
        state.write_bytes(good)
        session.wait_until_gone("✘")


def test_without_a_workspace_it_says_where_to_go(tmp_path: Path, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    with Session(str(tmp_path / "empty"), home=home, columns=200) as session:
        session.wait_for("no .trae/ in", "devstate init")
