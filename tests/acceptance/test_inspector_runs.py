"""Scenarios of the Runs screen in a real pseudo-terminal: a question, the keys, the answer on screen."""

from __future__ import annotations

from pathlib import Path

import pytest

import tui_database as databases
from terminal_session import Session


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return databases.sound(tmp_path / "db")


def test_which_run_failed_and_why(ugly: str, home: Path, db: Path) -> None:
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("1 failed", "Runs")
        session.press("4")
        session.wait_for("✘ 1 failed", "✘ failed", "solve-2", "bad luck")
        assert session.end() == 0


def test_what_did_the_run_do_step_by_step(ugly: str, home: Path, db: Path) -> None:
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("4")
        session.wait_for("t spans 2   solve-2")
        session.press("j")
        session.wait_for("t spans 2   solve-1")
        session.press("j")
        session.wait_for("t spans 2   solve-0")
        session.press("s")
        session.wait_for("s steps 28    t spans 2   solve-0", "JsonSet plan $.steps[0].done = true")
        session.press("t")
        session.wait_for("└ select 1", "tool_call")


def test_a_run_whose_process_died(ugly: str, home: Path, db: Path) -> None:
    orphan = databases.abandoned(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("1 orphaned")
        session.press("4")
        session.wait_for("! orphaned", "left alone", "is gone; last written", f"devstate run end {orphan}")


def test_how_do_i_compare_two_runs(ugly: str, home: Path, db: Path) -> None:
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("4")
        session.wait_for("solve-0")
        session.press("a", "j", "b")
        session.wait_for("same as: devstate diff", "c copies it")


def test_a_new_run_appears_by_itself(ugly: str, home: Path, db: Path) -> None:
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("4")
        session.wait_for("3 runs")
        with databases.Writer(db):
            session.wait_for("4 runs", "● active", "writer")
