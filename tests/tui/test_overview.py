"""The Overview on real workspaces: the verdict, why, and what to do; every action of the screen."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from devstate.demo import demo_workspace
from devstate.findings import Finding
from devstate_tui.models.groups import FindingGroup
from devstate_tui.screens.chain import ChainScreen
from devstate_tui.screens.dialogs.artifacts import ArtifactsDialog
from devstate_tui.screens.dialogs.detail import DetailDialog
from devstate_tui.screens.dialogs.findings import FindingsDialog
from devstate_tui.widgets.line_list import LineList
from tui_shell import inspector, shows, text_of, until, write, write_ugly


async def test_a_sound_workspace_is_intact_and_says_what_is_not_proven(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, _):
        assert shows(app.screen, "✔ INTACT  all 30 entries verify", "✔ VERIFIED 30", "READ-ONLY", "LIVE ")
        assert shows(
            app.screen, "Authenticity ! not proven", "Completeness ? unproven", "Time         ~ claimed"
        )
        assert shows(app.screen, "State        ✔ bound", "Store        · files")
        assert "claimed by" not in text_of(app.screen), "the word and the sentence say it twice"
        texts = ("30 of 30 entries", "public default key", "no drift declared", "the last entry names")
        columns = {
            line.index(text) for line in text_of(app.screen).splitlines() for text in texts if text in line
        }
        assert len(columns) == 1, "answers and facts stand below each other"


async def test_a_broken_entry_is_named_in_the_first_line(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(120, 40)) as (app, _):
        first = text_of(app.screen).splitlines()[3]
        assert "✘ BROKEN  at entry 160 of 240: a covered field, or the HMAC itself, was changed" in first
        assert shows(app.screen, "✘ BROKEN at 160", "Artifacts    ✘ 20 listed", "5 missing", "1 changed")
        findings = text_of(app.screen).splitlines()[17]
        assert "✘ HMAC_MISMATCH" in findings, "what concerns the chain comes first"
        assert shows(app.screen, "What to do: Compare the entry with an earlier copy")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        ("HMAC_MISMATCH", "✘ BROKEN"),
        ("CHAIN_LINK_BROKEN", "✘ BROKEN"),
        ("WRONG_KEY", "? NOT DECIDED"),
        ("TORN_FILE", "✘ BROKEN"),
        ("EMPTY_HISTORY", "✘ BROKEN"),
        ("ARTIFACT_MISSING", "✘ NOT IN ORDER  the chain verifies, but 1 error"),
        ("NO_DRIFT_FALSE", "no_drift is not true"),
        ("STATE_UNBOUND", "State        ! not bound"),
        ("LEFTOVER_TMP", "1 leftover of a broken-off write"),
    ],
)
async def test_each_kind_of_fault_has_its_verdict(tmp_path, tamper, said):
    root = write(tmp_path / "w", demo_workspace(entries=30, tamper=tamper))
    async with inspector(root, tmp_path, size=(100, 30)) as (app, _):
        assert shows(app.screen, said), text_of(app.screen)


async def test_a_finding_opens_with_its_remedy_and_leads_to_its_entry(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("f", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog))
        assert shows(app.screen, "HMAC_MISMATCH", "expected", "actual", "What to do", "entry 160")
        assert app.screen.focused is not None and app.screen.focused.id == "cancel"
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChainScreen))
        await until(pilot, lambda: shows(app.screen, "Entry 160"))


async def test_escape_closes_a_finding_and_changes_nothing(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("f", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, DetailDialog))
        assert app.current_mode == "overview"


async def test_many_findings_of_a_code_are_one_line_that_opens_their_list(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(120, 40)) as (app, pilot):
        rows = app.screen.query_one("#findings", LineList)
        values = [row.value for row in rows.rows]
        at, group = next((i, value) for i, value in enumerate(values) if isinstance(value, FindingGroup))
        assert app.reading is not None
        listed = [value for value in values if isinstance(value, Finding)]
        assert len(listed) + len(group.findings) == len(app.reading.findings), "none is lost"
        assert sum(value.code == "ARTIFACT_MISSING" for value in listed) == 5, "few of a code stand alone"
        said = rf"! CONTROL_CHARS +{len(group.findings)} entries: a text holds"
        assert re.search(said, text_of(app.screen)), text_of(app.screen)
        await pilot.press("f", *"j" * at)
        assert shows(app.screen, "What to do: They are shown escaped here")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, FindingsDialog))
        assert shows(app.screen, *(finding.message[:40] for finding in group.findings))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog))
        entry = group.findings[1].where.entry
        assert shows(app.screen, f"Show entry {entry}")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, FindingsDialog))
        await until(pilot, lambda: app.screen.query_one(LineList).cursor == 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: shows(app.screen, f"Entry {entry}") and app.current_mode == "chain")


async def test_the_remedy_follows_the_findings(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path, size=(120, 40)) as (app, _):
        rows, remedy = app.screen.query_one("#findings"), app.screen.query_one("#remedy")
        assert remedy.region.y == rows.region.bottom + 1
        actions = {entry.action for entry in app.reading.history.entries(0, 30)}
        shown = text_of(app.screen)
        assert any(len(action) > 15 and action in shown for action in actions), "entries are shown whole"


@pytest.mark.parametrize(
    ("size", "headline", "integrity"),
    [
        ((120, 40), "at entry 160 of 240: a covered field", "239 of 240 entries verify; first at entry 160"),
        ((60, 20), "entry 160 of 240 was changed", "first break 160 (239 verify)"),
        ((48, 20), "entry 160 of 240 was changed", "first break 160"),
    ],
)
async def test_lines_are_said_shorter_rather_than_cut(tmp_path, size, headline, integrity):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=size) as (app, _):
        assert shows(app.screen, f"✘ BROKEN  {headline}"), text_of(app.screen)
        lines = text_of(app.screen).splitlines()
        (line,) = (line for line in lines if " Integrity " in line)
        assert line.endswith(integrity)
        assert not any(line.startswith(("BROKEN", "changed")) for line in lines)


async def test_a_long_headline_goes_on_below_its_text(tmp_path):
    root = write(tmp_path / "w")
    state = root / ".trae" / "state.json"
    document = json.loads(state.read_text())
    document["artifact_checksums"][0]["path"] = "docs/" + "very_" * 8 + "long.md"
    state.write_text(json.dumps(document))
    async with inspector(root, tmp_path) as (app, pilot):
        lines = text_of(app.screen).splitlines()
        at = next(i for i, line in enumerate(lines) if "✘ NOT IN ORDER" in line)
        begin = lines[at].index("the chain verifies")
        assert lines[at + 1][:begin].isspace() and lines[at + 1][begin:].startswith("docs/very_")
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "1 error: docs/very_very_" in text_of(app.screen))


async def test_a_missing_document_is_told_once_with_what_brings_it_back(tmp_path):
    root = write(tmp_path / "w")
    (root / ".trae" / "history.json").unlink()
    async with inspector(root, tmp_path, size=(120, 40)) as (app, _):
        shown = text_of(app.screen)
        assert shown.count("not checked") == 5 and "cannot be read" not in shown
        assert shows(app.screen, "What to do: Restore it (git checkout --", "✘ NO HISTORY")
        assert "VERIFIED" not in shown


async def test_the_keys_of_lists_move_the_cursor(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        rows = app.screen.query_one("#findings", LineList)
        await pilot.press("f")
        for keys, at in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", len(rows.rows) - 1), ("g", 0)):
            await pilot.press(keys)
            assert rows.cursor == at, keys
        await pilot.press("end")
        assert rows.cursor == len(rows.rows) - 1
        assert rows.scroll_offset.y == len(rows.rows) - rows.size.height
        await pilot.press("home", "pagedown")
        assert rows.cursor == max(1, rows.size.height - 1)
        await pilot.press("pageup")
        assert rows.cursor == 0


async def test_lines_are_walked_and_opened_with_the_keys(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        walked = []
        for _ in range(10):
            walked.append(app.focused.id if app.focused is not None else None)
            await pilot.press("j")
        assert walked == [
            *("headline", "integrity", "authenticity", "completeness", "time"),
            *("checkpoint", "artifacts", "state", "store", "activity"),
        ]
        await pilot.press("shift+tab", "k", "up")
        assert app.focused is not None and app.focused.id == "state"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("authenticity", "Can only the owners of the key have written it?"),
        ("completeness", "Is this all of it"),
        ("time", "Did it happen when it says it did?"),
        ("checkpoint", "Agents:"),
        ("state", "state.json now"),
        ("store", "Leftovers of interrupted writes:"),
    ],
)
async def test_each_line_explains_itself(tmp_path, line, said):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.click(f"#{line}")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog))
        assert shows(app.screen, said), text_of(app.screen)


async def test_the_integrity_line_opens_the_break_and_activity_the_chain(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.click("#integrity")
        await until(pilot, lambda: app.current_mode == "chain" and shows(app.screen, "Entry 160"))
        await pilot.press("1")
        await until(pilot, lambda: app.current_mode == "overview")
        await pilot.click("#activity")
        await until(pilot, lambda: app.current_mode == "chain")


async def test_the_artifacts_are_listed_those_in_trouble_first(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(120, 40)) as (app, pilot):
        await pilot.click("#artifacts")
        await until(pilot, lambda: isinstance(app.screen, ArtifactsDialog))
        shown = text_of(app.screen)
        positions = [shown.index(word) for word in ("✘ refused", "✘ changed", "✘ missing", "✔ match")]
        assert positions == sorted(positions)
        await pilot.press("j", "j")
        assert shows(app.screen, "now     the file is not there")
        await pilot.press("escape")
        await until(
            pilot, lambda: app.current_mode == "overview" and not isinstance(app.screen, ArtifactsDialog)
        )


async def test_a_latest_entry_opens_in_the_chain(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("l", "j", "enter")
        await until(pilot, lambda: app.current_mode == "chain" and shows(app.screen, "Entry 28"))


async def test_it_lives_through_a_break_and_a_mend(tmp_path):
    root = write(tmp_path / "w")
    history = root / ".trae" / "history.json"
    sound = history.read_bytes()
    at = sound.index(b'"action": "', len(sound) // 2) + len(b'"action": "')
    async with inspector(root, tmp_path) as (app, pilot):
        history.write_bytes(sound[:at] + b"X" + sound[at + 1 :])
        await until(pilot, lambda: shows(app.screen, "✘ BROKEN  entry ", "✘ BROKEN at "))
        history.write_bytes(sound)
        await until(pilot, lambda: shows(app.screen, "✔ INTACT"))
        history.unlink()
        await until(pilot, lambda: shows(app.screen, "✘ NO HISTORY"))
        history.mkdir()
        await until(pilot, lambda: shows(app.screen, "✘ NO HISTORY", "history.json is a folder"))
        history.rmdir()
        history.write_bytes(b"")
        await until(pilot, lambda: shows(app.screen, "✘ BROKEN"))
        history.write_bytes(sound)
        await until(pilot, lambda: shows(app.screen, "✔ INTACT"))
        assert app.return_code is None or app.return_code == 0


async def test_a_folder_without_a_workspace_is_told_and_one_that_appears_is_shown(tmp_path):
    root = tmp_path / "later"
    root.mkdir()
    async with inspector(root, tmp_path) as (app, pilot):
        assert shows(app.screen, "✘ CANNOT READ"), text_of(app.screen)
        write(tmp_path / "elsewhere")
        shutil.copytree(tmp_path / "elsewhere", root, dirs_exist_ok=True)
        await until(pilot, lambda: shows(app.screen, "✔ INTACT"))


async def test_a_folder_that_is_not_there_is_told(tmp_path):
    async with inspector(tmp_path / "nowhere", tmp_path) as (app, pilot):
        assert shows(app.screen, "✘ CANNOT READ"), text_of(app.screen)
        write(tmp_path / "nowhere")
        await until(pilot, lambda: shows(app.screen, "✔ INTACT"))


async def test_texts_of_the_data_are_not_markup(tmp_path):
    """Square brackets are colours and links to the toolkit; in a path they are only brackets."""
    nasty = "docs/[bold red]x[/nothing][@click=app.quit]y[/].md"
    root = write(tmp_path / "w")
    state = root / ".trae" / "state.json"
    document = json.loads(state.read_text())
    document["artifact_checksums"][0]["path"] = nasty
    document["agents"][0]["task"] = nasty
    document["project"] = "[red]p[/oops]"
    state.write_text(json.dumps(document))
    async with inspector(root, tmp_path, size=(120, 40)) as (app, pilot):
        assert shows(app.screen, f"✘ NOT IN ORDER  the chain verifies, but 1 error: {nasty}", "[red]p[/oops]")
        await pilot.click("#artifacts")
        await until(pilot, lambda: shows(app.screen, f"✘ missing  {nasty}"))
        await pilot.press("escape")
        await pilot.click("#checkpoint")
        await until(pilot, lambda: isinstance(app.screen, DetailDialog) and shows(app.screen, nasty[:40]))
        await pilot.press("escape", "f", "enter")
        await until(pilot, lambda: shows(app.screen, "What to do", nasty))
        await pilot.press("escape", "colon", *"artifact_mi")
        await until(pilot, lambda: shows(app.screen, f"ARTIFACT_MISSING: {nasty}"))
        await pilot.press("escape", "escape", "v")
        await until(pilot, lambda: shows(app.screen, "sha256"))


async def test_texts_of_the_data_cannot_steer_the_terminal(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(120, 60)) as (app, pilot):
        for keys in ((), ("f", "G"), ("l", "G")):
            await pilot.press(*keys)
            shown = text_of(app.screen)
            assert not set(shown) & {"\x1b", "\u202e", "\x07", "\x9b"}


@pytest.mark.parametrize(
    ("columns", "left", "right"),
    [
        (100, "DevState  harbour-ledger  CP3-LC", "READ-ONLY  LIVE [0-9:]{5}  ✘ BROKEN at 160"),
        (60, "DevState", "READ-ONLY  LIVE [0-9:]{5}  ✘ BROKEN at 160"),
        (32, "", "READ-ONLY  LIVE  ✘ BROKEN"),
    ],
)
async def test_the_first_line_drops_what_does_not_fit_whole(tmp_path, columns, left, right):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(columns, 24)) as (app, _):
        line = text_of(app.screen).splitlines()[0]
        assert re.fullmatch(f" {left} +{right}", line), line


@pytest.mark.parametrize("size", [(60, 20), (40, 12), (30, 8), (200, 60)])
async def test_it_fits_every_terminal(tmp_path, size):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=size) as (app, _):
        lines = text_of(app.screen).splitlines()
        assert any("BROKEN" in line for line in lines[:5])
        assert any("help" in line for line in lines[-1:])


async def test_a_faulty_setting_is_told_and_a_mended_one_taken(tmp_path):
    root = write(tmp_path / "w")
    config = root / "devstate.toml"
    config.write_text("jobs = 0\n")
    async with inspector(root, tmp_path, read=False) as (app, pilot):
        await until(pilot, lambda: shows(app.screen, "✘ CANNOT READ", "`jobs` must be from 1", "✘ NOT LIVE"))
        assert shows(app.screen, "What to do:"), text_of(app.screen)
        config.write_text("jobs = 1\n")
        await until(pilot, lambda: shows(app.screen, "✔ INTACT", "LIVE "))
        assert not shows(app.screen, "NOT LIVE")


async def test_a_checksum_of_an_artifact_stays_beside_its_label(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.click("#artifacts")
        await until(pilot, lambda: shows(app.screen, "listed  "))
        await pilot.press("j")
        (changed,) = (artifact for artifact in app.reading.artifacts if artifact.status == "mismatched")
        lines = text_of(app.screen).splitlines()
        for digits in (changed.listed, changed.actual):
            at = next(i for i, line in enumerate(lines) if digits[:32] in line)
            assert lines[at].index(digits[:32]) == lines[at + 1].index(digits[32:])
