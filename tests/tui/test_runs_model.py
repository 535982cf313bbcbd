"""The words of runs, steps and spans, and the filter."""

from __future__ import annotations

import pytest

import tui_database as databases
from devstate.engine import Database
from devstate.engine.primitives.span_trees import Span, SpanNode
from devstate.errors import UsageError
from devstate_tui.models.runs import (
    about_lines,
    diff_command,
    duration_text,
    located,
    moment,
    parse_run_filter,
    runs_line,
    span_lines,
    status_of,
)
from devstate_tui.screens.runs.rows import StepSource
from devstate_tui.services.run_reader import RunReader


def never() -> bool:
    return False


def read(root, chosen=None, **options):
    reader = RunReader(str(root))
    reader.read(chosen, tell=lambda: None, cancelled=never, **options)
    return reader


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (None, ""),
        (-1, ""),
        (480, "480 us"),
        (12_000, "12 ms"),
        (1_250_000, "1.2 s"),
        (184_000_000, "3 m 04 s"),
        (7_500_000_000, "2 h 05 m"),
    ],
)
def test_durations(us, said):
    assert duration_text(us) == said


def test_moments():
    assert moment(1_700_000_000_000_000) == "2023-11-14 22:13:20"
    assert moment(None) == "" and moment(2**63) == str(2**63)[:19]


def test_the_words_of_the_filter(tmp_path):
    reader = read(databases.sound(tmp_path / "db"))
    for text, count in (
        ("", 3),
        ("status:failed", 1),
        ("tag:eval", 3),
        ("tag:x", 0),
        ("SOLVE-1", 1),
        ("bad luck", 1),
        ('"seed":', 3),
        (reader.runs[0].run_id[:8], 1),
    ):
        assert sum(parse_run_filter(text).passes(run) for run in reader.runs) == count, text
    for wrong in ("status:odd", "colour:red", "tag:"):
        with pytest.raises(UsageError):
            parse_run_filter(wrong)
    reader.close()


def test_spans_of_any_depth_are_lines():
    def span(name, parent=None, end=1):
        return Span(name, parent, "query", name, 0, end, {}, (), 1, 0)

    node = SpanNode(span("leaf", end=None), ())
    for depth in range(3000):
        node = SpanNode(span(f"n{depth}"), (node,))
    lines = span_lines((node, SpanNode(span("second"), ())))
    assert len(lines) == 3002
    assert [line.lead for line in lines[:3]] == ["", "└ ", "  └ "]
    assert lines[-2].length is None and lines[-1].lead == ""
    pair = SpanNode(span("top"), (SpanNode(span("a"), ()), SpanNode(span("b"), ())))
    assert [line.lead + line.name for line in span_lines((pair,))] == ["top", "├ a", "└ b"]


def test_an_orphan_is_told_with_what_to_do(tmp_path):
    db = databases.sound(tmp_path / "db")
    orphan = databases.abandoned(db)
    reader = read(db, orphan)
    assert reader.detail is not None and reader.detail.run.run_id == orphan
    assert status_of(reader.detail.run)[:2] == ("!", "orphaned")
    text = "\n".join(
        f"{label} {value}" for label, value, _ in about_lines(reader.detail.run, reader.detail.last_written)
    )
    assert "is gone; last written 2" in text and f"devstate run abort {orphan}" in text
    line = runs_line(reader.runs, None)
    assert (line.glyph, line.word, line.shorter) == (
        "!",
        "1 orphaned",
        ("1 failed   2 completed   4 in all",),
    )
    reader.close()


def test_behind_damage_nobody_is_told_to_end_a_run(tmp_path):
    db = databases.flipped(tmp_path / "db")
    reader = read(db)
    lost = reader.lost
    assert lost is not None and lost.last_cv
    line = runs_line(reader.runs, None, lost=lost)
    assert (line.glyph, line.word, line.opens) == ("✘", "DAMAGED", "wal")
    assert f"read up to commit {lost.last_cv}" in line.text
    unknown = next(run for run in reader.runs if run.ended_at is None)
    text = "\n".join(value for _, value, _ in about_lines(unknown, None, lost=lost))
    assert f"As of commit {lost.last_cv}" in text and "devstate run end" not in text
    assert "devstate run end" in "\n".join(value for _, value, _ in about_lines(unknown, None))
    reader.close()


def test_steps_are_positions_and_one_can_be_read(tmp_path):
    reader = read(databases.sound(tmp_path / "db", snapshot=True))
    assert reader.detail is not None and reader.detail.steps is not None
    assert reader.step(reader.detail, 1).entries[0].entry_type == 0x20
    oldest = reader.runs[-1].run_id
    reader.read(oldest, tell=lambda: None, cancelled=never)
    assert reader.detail.run.run_id == oldest and len(reader.detail.steps) == oldest_steps(reader)
    reader.close()


def oldest_steps(reader):
    return next(run.tx_count for run in reader.runs if run.run_id == reader.detail.run.run_id)


def test_history_that_is_damaged_is_told_and_the_rest_stays(tmp_path):
    db = databases.sound(tmp_path / "db", runs=4, snapshot=True)
    segment = min((db / "history").glob("*.wal"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"key7")] ^= 0x20
    segment.write_bytes(data)
    reader = read(db)
    oldest = reader.runs[-1].run_id
    reader.read(oldest, tell=lambda: None, cancelled=never)
    assert reader.error is None and len(reader.runs) == 4
    assert reader.detail is not None and reader.detail.steps is not None
    source = StepSource(reader, reader.detail)
    rows = ["".join(text for text, _ in source.cells(item, 100)) for item in range(len(source))]
    assert sum("✘" in row for row in rows) == 1 and "RunCreate" in rows[0]
    reader.close()


def test_a_heavy_database_is_left_alone_until_it_is_asked_for(tmp_path):
    db = databases.sound(tmp_path / "db")
    reader = read(db, closer=False, most=100)
    assert reader.heavy and not reader.runs
    assert runs_line(reader.runs, None, heavy=True).word == "not counted"
    reader.read(None, tell=lambda: None, cancelled=never)
    assert not reader.heavy and len(reader.runs) == 3
    reader.read(None, tell=lambda: None, cancelled=never, closer=False, most=100)
    assert not reader.heavy and len(reader.runs) == 3
    reader.close()


def test_another_database_in_the_same_place_is_read_anew(tmp_path):
    import shutil

    reader = read(databases.sound(tmp_path / "db"))
    shutil.rmtree(tmp_path / "db")
    reader.read(None, tell=lambda: None, cancelled=never)
    assert not reader.runs and reader.look is not None and not reader.look.there
    with Database.open(tmp_path / "db") as db:
        db.begin_run(name="other")
    reader.read(None, tell=lambda: None, cancelled=never)
    assert [run.name for run in reader.runs] == ["other"]
    reader.close()


def test_the_command_that_compares():
    assert diff_command("a", "b") == "devstate diff run:a run:b"


def test_commands_that_can_be_run_anywhere():
    assert located("devstate replay x", "/a b", "/a b/.trae/store") == "devstate -C '/a b' replay x"
    assert located("devstate replay x", "/a", "/other db") == "devstate replay x --db '/other db'"
