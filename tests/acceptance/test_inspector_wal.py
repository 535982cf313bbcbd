"""Scenarios of the WAL screen in a real pseudo-terminal: a question, the keys, the answer on screen."""

from __future__ import annotations

from pathlib import Path

import pytest

import tui_database as databases
from terminal_session import Session


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "db"


def test_is_this_database_in_order(ugly: str, home: Path, db: Path) -> None:
    databases.sound(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("✔ all files sound", "✔ closes commit", "FOLLOWING")
        session.press("r")
        session.wait_for("✔ It opens; everything is in order.", "nothing was changed")
        session.press("escape")
        assert session.end() == 0


def test_what_did_the_crash_leave(ugly: str, home: Path, db: Path) -> None:
    databases.torn(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("! log: torn tail", "no entry", "opening cuts it off", "~ open")
        session.press("r")
        session.wait_for("! It opens, and cuts", "No acknowledged commit is in it")


def test_which_byte_is_wrong_and_what_is_lost(ugly: str, home: Path, db: Path) -> None:
    databases.flipped(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("✘ log damaged", "✘ damaged", "– cut off", "the checksum of an entry is")
        session.press("enter", "j", "enter")  # to the fields, to the type, to the bytes
        session.wait_for("h left", "l right")
        session.press("escape", "r")
        session.wait_for("✘ Opening refuses: committed data is damaged.", "destroyed")


def test_where_does_this_key_stand_in_the_log(ugly: str, home: Path, db: Path) -> None:
    databases.sound(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("✔ all files sound")
        session.press("/", "type:kv key19", "enter")
        session.wait_for("3 of ", 'key19 = {"n": 19}')
        session.press("escape")
        session.wait_until_gone("3 of ")


def test_what_is_being_written_now(ugly: str, home: Path, db: Path) -> None:
    databases.sound(db)
    with databases.Writer(db) as writer, Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("FOLLOWING", "RunBegin")
        writer.write("fresh-key")
        session.wait_for("KvPut           86", "fresh-key = ")


def test_where_is_the_database(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("No database here yet", "devstate run record -- CMD", "What to do")


@pytest.mark.long
def test_an_idle_screen_writes_nothing(ugly: str, home: Path, db: Path) -> None:
    databases.torn(db)
    before = databases.fingerprint(db)
    with Session(ugly, "--db", str(db), home=home) as session:
        session.wait_for("BROKEN")
        for key, shown in (("7", "! log: torn tail"), ("4", "solve-2")):
            session.press(key)
            session.wait_for(shown)
            session.settle(1.0)
            written = session.written
            session.settle(2.0)
            assert session.written == written
    assert databases.fingerprint(db) == before


def test_without_colour_words_and_glyphs_say_it(ugly: str, home: Path, db: Path) -> None:
    databases.flipped(db)
    with Session(ugly, "--db", str(db), home=home, environ={"NO_COLOR": "1"}) as session:
        session.wait_for("BROKEN")
        session.press("7")
        session.wait_for("✘ log damaged", "✘ damaged", "– cut off", "✔ ok")
        assert session.colours() == {"default"}
