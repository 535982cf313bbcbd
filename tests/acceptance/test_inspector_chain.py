"""Scenarios of the Chain screen in a real pseudo-terminal: a question, the keys, the answer on screen.

They run on an ugly workspace: missing artifacts, mixed file styles, a weak key, a broken entry, long and
non-Latin texts, control and direction characters.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from devstate.demo import demo_workspace, write_demo
from terminal_session import Session

_ROW = re.compile(r"[▌ ][◆› ] *\d+ [GBUYRE][! ] ")


def test_which_entry_is_broken_and_why(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("✘ first break at 160", "Entry 160   B broken", "✘ HMAC_MISMATCH")
        session.wait_for("expected  7d621f31c29e233c...  computed", "actual    77a996190ab71293...  ✘ stored")
        session.wait_for("restore the file; do not re-sign it.")  # the remedy whole, without scrolling
        row = next(line for line in session.lines if line.startswith("▌"))
        assert "160 B" in row and "gate_override" in row
        assert session.end() == 0


def test_what_do_the_letters_mean(ugly: str, home: Path) -> None:
    with Session(ugly, home=home, columns=120, lines=40) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("B broken  U weak key  ! warning", "# ok when (UTC)")


def test_which_entry_wants_a_look_though_it_verifies(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("2")
        session.wait_for("Entry 160")
        session.press("#")
        session.wait_for("for example")
        session.press("85")
        session.wait_for("→ entry 85  2026-05-08 13:41:25  AGENT_4")
        session.press("enter")
        session.wait_for("▌   85 U! 05-08 13:41", "! CONTROL_CHARS")


def test_which_bytes_does_the_hmac_cover(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("Entry 160")
        session.press("e")
        session.wait_for(
            "What the HMAC of entry 160 covers",
            "AGENT_4gate_override",
            "expected  7d621f31c29e233c...  computed",
            "actual    77a996190ab71293...  ✘ stored",
        )
        session.press("end")
        session.wait_for("Not covered, so that a change leaves no trace: cp_from, cp_to,", "hmac_prev")


def test_which_entries_are_by_one_agent_and_of_one_kind(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("2")
        session.wait_for("Entry 160")
        session.press("/")
        session.wait_for("actor:NAME")
        session.press("actor:AGENT_4 action~override", "enter")
        session.wait_for("/ actor:AGENT_4 action~override   1 match of 240", "gate_override")
        session.settle()  # a screen is drawn in several writes
        assert all("AGENT_4" in line for line in session.lines if _ROW.match(line))
        session.press("escape")
        session.wait_until_gone("/ actor:AGENT_4")


def test_what_happened_on_a_day(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("2")
        session.wait_for("Entry 160")
        session.press("#")
        session.wait_for("Go to an entry or a time")
        session.press("2026-05-21", "enter")
        session.wait_for("entry 170 is the first that claims")
        assert any(line.startswith("▌  170") and "05-21" in line for line in session.lines)


def test_texts_of_all_scripts_stay_in_their_columns_and_steer_nothing(ugly: str, home: Path) -> None:
    with Session(ugly, home=home, columns=120, lines=40) as session:
        session.wait_for("BROKEN")
        session.press("2")
        session.wait_for("when (UTC)")
        session.press("g")
        for _ in range(7):
            session.settle(0.3)
            rows = [line for line in session.lines if _ROW.match(line)]
            assert len(rows) > 20
            border = session.columns_of("│")[3:-1]
            assert border == [border[0]] * len(border) and border[0] > 0, session.text
            assert session.lines[0].startswith(" DevState") and "\x1b" not in session.text
            session.press("pagedown")


def test_is_the_broken_entry_marked_without_colour(ugly: str, home: Path) -> None:
    with Session(ugly, home=home, environ={"NO_COLOR": "1"}) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("▌  160 B", "B broken", "██")
        assert session.colours() == {"default"}


def test_it_can_be_read_in_a_narrow_terminal(ugly: str, home: Path) -> None:
    with Session(ugly, home=home, columns=48, lines=16) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("160 B")
        session.press("enter")
        session.wait_for("Entry 160", "HMAC_MISMATCH")
        session.press("escape")
        session.wait_for("160 B")


def test_a_click_on_the_map_leads_to_the_break(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("2", "g")
        session.wait_for("Entry 0")
        line = next(at for at, text in enumerate(session.lines) if "██" in text)
        session.click(session.lines[line].index("██"), line)
        session.wait_for("Entry 160")


def test_a_bookmark_is_there_at_the_next_start(ugly: str, home: Path) -> None:
    with Session(ugly, home=home) as session:
        session.wait_for("BROKEN")
        session.press("!")
        session.wait_for("Entry 160")
        session.press("b")
        session.wait_for("Bookmark entry 160")
        session.press("ask AGENT_4", "enter")
        session.wait_for("◆ ask AGENT_4")
        session.end()
    with Session(ugly, home=home) as session:
        session.wait_for("Entry 160")
        session.press("B")
        session.wait_for("Bookmarks: 1", "160  ask AGENT_4")


def test_a_byte_broken_in_an_editor_is_seen_at_once_and_so_is_its_mending(demo: Path, home: Path) -> None:
    history = demo / ".trae" / "history.json"
    good = history.read_bytes()
    place = good.index(b'"actor": "', len(good) // 2) + len(b'"actor": "')
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("2")
        session.wait_for("✔ all verify")
        history.write_bytes(good[:place] + b"X" + good[place + 1 :])
        session.wait_for("broke: HMAC_MISMATCH", "! goes there", "✘ first break at")
        session.press("!")
        session.wait_for("B broken", "✘ HMAC_MISMATCH", "XGENT_")
        history.write_bytes(good)
        session.wait_for("mended: no errors any more", "✔ all verify")
        assert session.end() == 0


def test_a_history_that_goes_away_is_explained_and_comes_back(demo: Path, home: Path) -> None:
    history = demo / ".trae" / "history.json"
    good = history.read_bytes()
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("2")
        session.wait_for("✔ all verify")
        history.unlink()
        session.wait_for("There are no entries to show.", "INPUT_MISSING")
        history.mkdir()
        session.wait_for("There are no entries to show.", "INPUT_UNREADABLE")
        history.rmdir()
        history.write_bytes(good[: len(good) // 2])
        session.wait_for("TORN_FILE")
        history.write_bytes(good)
        session.wait_for("✔ all verify")


def test_a_workspace_that_is_moved_away_comes_back(demo: Path, home: Path) -> None:
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("2")
        session.wait_for("✔ all verify")
        shutil.move(demo / ".trae", demo / "away")
        session.wait_for("INPUT_MISSING")
        shutil.move(demo / "away", demo / ".trae")
        session.wait_for("✔ all verify")
        assert session.end() == 0


def test_nothing_is_written_while_nothing_happens(demo: Path, home: Path) -> None:
    with Session(str(demo), home=home) as session:
        session.wait_for("120 entries")
        session.press("2")
        session.wait_for("✔ all verify")
        session.settle(1.0)
        before = session.written
        session.settle(3.0)
        assert session.written == before


@pytest.mark.long
def test_a_million_entries_are_shown_while_they_are_read_and_searched(tmp_path: Path, home: Path) -> None:
    write_demo(str(tmp_path / "w"), demo_workspace(entries=1_000_000))
    with Session(str(tmp_path / "w"), home=home, columns=100, lines=30) as session:
        session.wait_for("2 Chain")
        session.press("2")
        session.wait_for("entries so far", "Entry 0")
        session.press("pagedown", "pagedown")
        session.wait_for("✔ all verify", "1,000,000 entries", seconds=120)
        session.press("G")
        session.wait_for("Entry 999,999")
        session.press("#")
        session.wait_for("Go to an entry or a time")
        session.press("50%", "enter")
        session.wait_for("Entry 500,000")
        for text, answer in (("cp~lc", "matches in"), ("actor:AGENT_3 action~worker", "of 1,000,000")):
            session.press("/")
            session.wait_for("actor:NAME")
            session.press(text, "enter")
            session.wait_for("matches", answer, seconds=120)
            session.press("escape")
            session.wait_until_gone("matches")
        assert session.end() == 0
