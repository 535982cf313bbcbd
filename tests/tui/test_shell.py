"""The shell of the inspector: every action, dialogs, palette, what is kept between starts, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from textual.app import App
from textual.command import CommandPalette

from devstate.chain import VerificationCancelled
from devstate.demo import demo_workspace
from devstate.workspace import Workspace
from devstate_tui.actions import ACTIONS
from devstate_tui.app import DevStateApp
from devstate_tui.layout import Layout, load_layout
from devstate_tui.screens.chain import ChainScreen
from devstate_tui.screens.dialogs.help import HelpDialog
from devstate_tui.screens.dialogs.verify import VerifyDialog
from devstate_tui.services.verifier import Verifier
from devstate_tui.widgets.progress_line import ProgressLine
from tui_shell import environ, inspector, shows, text_of, until, write, write_ugly


async def test_every_action_of_the_registry_is_implemented(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "chain")
        chain = app.screen
        await pilot.press("4")
        await until(pilot, lambda: app.current_mode == "runs")
        runs = app.screen
        await pilot.press("7")
        await until(pilot, lambda: app.current_mode == "wal")
        wal = app.screen
        await pilot.press("1")
        await until(pilot, lambda: app.current_mode == "overview")
        overview = app.screen
        from devstate_tui.screens.dialogs.dialog import Dialog

        owners = {
            "app": [app],
            "dialog": [Dialog],
            "overview": [overview],
            "overview.tile": [overview.query_one("#headline")],
            "overview.list": [overview.query_one("#findings")],
            "chain": [chain, *chain.query("*")],
            "runs": [runs],
            "runs.list": [runs.query_one("#runs-list")],
            "runs.filter_bar": [runs.query_one("#runs-filter-bar")],
            "wal": [wal],
            "wal.list": [wal.query_one("#wal-entries")],
            "wal.hex": [wal.query_one("#wal-hex")],
            "wal.filter_bar": [wal.query_one("#wal-filter-bar")],
        }
        for action in ACTIONS:
            name = "action_" + action.call.partition("(")[0]
            candidates = owners.get(action.scope) or owners["chain"]
            assert any(hasattr(owner, name) for owner in candidates), action.id


async def test_it_shows_the_screens_by_key_and_by_click(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, ChainScreen))
        await pilot.click("StatusBar", offset=(3, 1))
        await until(pilot, lambda: app.current_mode == "overview")
        await pilot.click("StatusBar", offset=(15, 1))
        await until(pilot, lambda: app.current_mode == "chain")


async def test_the_line_of_keys_can_be_clicked(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        line = text_of(app.screen).splitlines()[-1]
        await pilot.click("KeyBar", offset=(line.index("? help"), 0))
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))


async def test_q_leaves_and_nothing_was_written_to_the_workspace(tmp_path):
    root = write(tmp_path / "w")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    async with inspector(root, tmp_path) as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: shows(app.screen, "sha256"))
        await pilot.press("escape", "q")
        await pilot.pause()
        assert app.return_code == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


# -- verify ---------------------------------------------------------------------------------------------


async def test_verify_ends_with_a_receipt(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path, size=(100, 34)) as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, VerifyDialog) and shows(app.screen, "sha256"))
        assert app.reading is not None and app.reading.chain is not None
        assert shows(app.screen, "✔ INTACT", "entries       30", "took ", app.reading.chain.sha256)
        assert shows(app.screen, "public-default (entries 0 to 29, public)", "same as       devstate verify")
        assert not shows(app.screen, "Show first break")
        assert app.focused is not None and app.focused.id == "cancel"


async def test_the_receipt_stays_beside_its_labels(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: shows(app.screen, "sha256"))
        lines = text_of(app.screen).splitlines()
        at = next(i for i, line in enumerate(lines) if "sha256" in line)
        assert app.reading is not None and app.reading.chain is not None
        digits = app.reading.chain.sha256
        assert lines[at].index(digits[:32]) == lines[at + 1].index(digits[32:])
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: shows(app.screen, digits))


async def test_the_receipt_counts_one_as_one(tmp_path):
    root = write(tmp_path / "w", demo_workspace(entries=30, tamper="HMAC_MISMATCH"))
    async with inspector(root, tmp_path) as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: shows(app.screen, "workspace     1 error, "))


@pytest.mark.parametrize(("part", "filled"), [(0.0, 0), (0.61, 33), (1.0, 55)])
async def test_progress_fills_the_line_and_can_be_read_without_colour(part, filled):
    class Small(App[None]):
        def compose(self):
            yield ProgressLine()

    async with Small().run_test(size=(60, 3)) as pilot:
        pilot.app.query_one(ProgressLine).part = part
        await pilot.pause()
        line = text_of(pilot.app.screen).splitlines()[0]
        assert line == "█" * filled + "░" * (55 - filled) + f"{part:.0%}".rjust(5)


async def test_verify_of_a_broken_chain_leads_to_the_break(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: shows(app.screen, "Show first break"))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, ChainScreen) and shows(app.screen, "Entry 160"))


def test_a_verification_stops_when_it_is_cancelled(tmp_path):
    root = write(tmp_path / "w", demo_workspace(entries=3000))
    with Workspace.open(str(root)) as workspace:
        verifier = Verifier(workspace)
        seen = []

        def stop(progress):
            seen.append(progress.entries)
            verifier.cancel()

        with pytest.raises(VerificationCancelled):
            verifier.run(stop)
        assert len(seen) == 1
        assert seen[0] < 3000


async def test_escape_leaves_a_running_verification(tmp_path):
    root = write(tmp_path / "w", demo_workspace(entries=3000))
    async with inspector(root, tmp_path) as (app, pilot):
        await pilot.press("v", "escape")
        await until(pilot, lambda: not isinstance(app.screen, VerifyDialog) and len(app.screen_stack) == 1)
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "chain")


async def test_verify_of_a_history_that_is_gone_says_so(tmp_path):
    root = write(tmp_path / "w")
    async with inspector(root, tmp_path) as (app, pilot):
        (root / ".trae" / "history.json").unlink()
        await pilot.press("v")
        await until(pilot, lambda: shows(app.screen, "✘ The history cannot be read"))


# -- first break, and what cannot be done -----------------------------------------------------------------


async def test_first_break_goes_there(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: app.current_mode == "chain" and shows(app.screen, "Entry 160"))


async def test_what_cannot_be_done_says_why(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        assert app.reason_against("app.first_break") == "every entry verifies, there is no break"
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: shows(app.screen, "Every entry verifies, there is no"))
        assert app.current_mode == "overview"


# -- help, palette, themes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode",
    [
        "overview",
        pytest.param("chain", marks=pytest.mark.long),
        pytest.param("runs", marks=pytest.mark.long),
        "wal",
    ],
)
async def test_help_names_every_key_of_the_screen(tmp_path, mode):
    async with inspector(write(tmp_path / "w"), tmp_path, size=(120, 200)) as (app, pilot):
        await app.action_show(mode)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        lines = text_of(app.screen).splitlines()
        for action in ACTIONS:
            if action.scope == "app" or action.scope.split(".")[0] == mode:
                beside = [line for line in lines if action.description in line and action.id in line]
                assert beside, f"{action.id} is not beside what it does"


async def test_the_palette_runs_actions_and_finds_findings(tmp_path):
    async with inspector(write_ugly(tmp_path / "w"), tmp_path, size=(100, 30)) as (app, pilot):
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        assert shows(app.screen, "Verify the whole chain again", "same as: devstate verify")
        await pilot.press(*"show the chain")
        await until(pilot, lambda: shows(app.screen, "Show the Chain"))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.current_mode == "chain" and isinstance(app.screen, ChainScreen))
        await pilot.press("1", "ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"hmac_mism")
        await until(pilot, lambda: shows(app.screen, "HMAC_MISMATCH: "))
        await pilot.press("down", "enter")
        await until(pilot, lambda: shows(app.screen, "What to do"))


async def test_a_theme_can_be_chosen(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("T")
        await until(pilot, lambda: shows(app.screen, "devstate-"))
        await pilot.press(*"devstate-light")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == "devstate-light")


@pytest.mark.parametrize("place", ["Downloads", "data/devstate/screenshots"])
async def test_a_screenshot_is_saved_where_it_says(tmp_path, place):
    if place == "Downloads":
        (tmp_path / place).mkdir()
    async with inspector(write(tmp_path / "w"), tmp_path, size=(140, 30)) as (app, pilot):
        await pilot.press("S")
        await until(pilot, lambda: shows(app.screen, "Saved", "Screenshot"))
        (saved,) = (tmp_path / place).glob("*.svg")
        assert "DevState" in saved.read_text()


async def test_read_again_makes_a_new_reading(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        first = app.reading
        await pilot.press("R")
        await until(pilot, lambda: app.reading is not first)
        assert app.reading is not None and app.reading.ok


# -- the user's own files ---------------------------------------------------------------------------------


async def test_screen_and_theme_are_kept_for_the_next_start(tmp_path):
    root = write(tmp_path / "w")
    async with inspector(root, tmp_path) as (app, pilot):
        app.theme = "devstate-light"
        app.remember_size("detail", 40)
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "chain")
    layout, problems = load_layout(str(tmp_path / "data" / "devstate"))
    assert (layout.mode, layout.theme, dict(layout.sizes), problems) == (
        "chain",
        "devstate-light",
        {"detail": 40},
        (),
    )
    async with inspector(root, tmp_path) as (app, pilot):
        await until(pilot, lambda: app.current_mode == "chain")
        assert app.theme == "devstate-light"
        assert app.layout_kept.sizes["detail"] == 40


async def test_a_start_without_a_change_writes_no_layout(tmp_path):
    folder = tmp_path / "data" / "devstate"
    folder.mkdir(parents=True)
    file = folder / "layout.json"
    file.write_text(
        json.dumps({"schema": "devstate.layout/1", "mode": "overview", "theme": "devstate-dark", "sizes": {}})
    )
    before = file.stat()
    async with inspector(write(tmp_path / "w"), tmp_path):
        pass
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


async def test_faults_in_the_users_files_are_told_and_the_app_starts(tmp_path):
    config, data = tmp_path / "config" / "devstate", tmp_path / "data" / "devstate"
    (config / "themes").mkdir(parents=True)
    data.mkdir(parents=True)
    (config / "keymap.toml").write_text('[keys]\n"app.verfy" = "x"\n"app.quit" = "Q"\n')
    (config / "themes" / "mine.toml").write_text('primary = "no such colour"\n')
    (data / "layout.json").write_text("{")
    async with inspector(write(tmp_path / "w"), tmp_path, size=(120, 40)) as (app, pilot):
        await until(pilot, lambda: shows(app.screen, 'keymap.toml: unknown action "app.verfy"'))
        assert shows(app.screen, "mine.toml: primary is no colour", "layout.json: is damaged")
        assert app.layout_kept == Layout()
        await pilot.press("q")
        await pilot.pause()
        assert app.is_running and app.return_code is None, "the good line of the file holds: q is Q now"
        await pilot.press("Q")
        await pilot.pause()
        assert app.return_code == 0


async def test_the_settings_choose_theme_and_keymap(tmp_path):
    keymap = tmp_path / "my-keys.toml"
    keymap.write_text('[keys]\n"app.help" = "H"\n')
    choice = {"theme": "devstate-contrast", "keymap": str(keymap)}
    async with inspector(write(tmp_path / "w"), tmp_path, tui=choice) as (app, pilot):
        assert app.theme == "devstate-contrast"
        assert "H help" in text_of(app.screen).splitlines()[-1]
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))


async def test_an_unknown_theme_and_a_missing_keymap_of_the_settings_are_told(tmp_path):
    choice = {"theme": "no-such", "keymap": str(tmp_path / "gone.toml")}
    async with inspector(write(tmp_path / "w"), tmp_path, tui=choice, size=(120, 30)) as (app, pilot):
        await until(
            pilot, lambda: shows(app.screen, 'there is no theme "no-such"', "gone.toml: does not exist")
        )
        assert app.theme == "devstate-dark"


async def test_a_home_that_cannot_be_written_costs_only_the_layout(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    async with inspector(write(tmp_path / "w"), tmp_path) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: app.current_mode == "chain")
    assert app.return_code in (None, 0)


async def test_a_demo_is_marked_as_one(tmp_path):
    async with inspector(write(tmp_path / "w"), tmp_path, demo=True) as (app, _):
        assert "DEMO" in text_of(app.screen).splitlines()[0]


# -- imports and failing ----------------------------------------------------------------------------------


def child(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_models_and_core_import_no_textual():
    code = (
        "import pkgutil, importlib, sys, devstate, devstate_tui.models as models\n"
        "packages = ['devstate.chain', 'devstate.trae', 'devstate.workspace', 'devstate.demo', 'devstate.findings']\n"
        "for name in packages: importlib.import_module(name)\n"
        "names = [m.name for m in pkgutil.iter_modules(models.__path__)]\n"
        "for name in names: importlib.import_module('devstate_tui.models.' + name)\n"
        "print(len(names), sorted({m.partition('.')[0] for m in sys.modules} & {'textual', 'click'}))"
    )
    number, found = child(code).split(" ", 1)
    assert int(number) >= 2
    assert found.strip() == "[]"


def test_the_first_picture_pays_for_nothing_heavy():
    heavy = [
        "watchfiles",
        "jsonschema",
        "cryptography",
        "pydantic",
        "importlib.metadata",
        "tomllib",
        "pygments",
    ]
    code = (
        "import sys, devstate_tui.app, devstate_tui.screens.overview\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert child(code).strip() == "[]"


CANARY = "canary-1c9e3-secret"


@pytest.mark.parametrize("where", ["screen", "worker", "action"])
async def test_a_crash_shows_neither_values_nor_the_errors_text(tmp_path, where):
    class Failing(DevStateApp):
        def on_reading_arrived(self, message):  # type: ignore[override]
            super().on_reading_arrived(message)
            secret = CANARY
            if where == "screen":
                raise ValueError(f"failed on {secret}")
            if where == "worker":
                self.run_worker(self.fail, thread=True)

        def fail(self):
            secret = CANARY
            raise ValueError(secret)

        def action_help(self):
            secret = CANARY
            raise ValueError(secret)

    app = Failing(str(write(tmp_path / "w")), environ=environ(tmp_path))
    with pytest.raises(BaseException) as caught:
        async with app.run_test() as pilot:
            if where == "action":
                await until(pilot, lambda: app.reading is not None)
                await pilot.press("question_mark")
            await until(pilot, lambda: app._exception is not None, 5)
            raise AssertionError("it did not fail")
    assert "ValueError" in repr(caught.value) or "WorkerFailed" in repr(caught.value)
    app._exception = caught.value  # what the app was ended by
    shown = crash_text(app)
    assert "error of its own (ValueError)" in shown
    assert "test_shell.py" in shown and "What to do" in shown
    assert CANARY not in shown


def crash_text(app: DevStateApp) -> str:
    from devstate_tui.crash import crash_message

    assert app._exception is not None
    return crash_message(app._exception)


def test_a_crash_in_a_real_terminal_prints_a_message_and_no_traceback(tmp_path):
    import pexpect

    root = write(tmp_path / "w")
    code = (
        "import devstate_tui.app as a\n"
        "def fail(self, message):\n"
        f"    secret = '{CANARY}'\n"
        "    raise KeyError(secret)\n"
        "a.DevStateApp.on_reading_arrived = fail\n"
        f"import sys, devstate_tui; sys.exit(devstate_tui.run({str(root)!r}))"
    )
    process = pexpect.spawn(
        sys.executable,
        ["-c", code],
        dimensions=(24, 80),
        timeout=30,
        env={**environ_of_process(), **environ(tmp_path)},
    )
    process.expect(pexpect.EOF)
    process.close()
    shown = process.before.decode()
    assert "the inspector ended because of an error of its own" in shown
    assert "KeyError" in shown
    assert CANARY not in shown
    assert "Traceback" not in shown
    assert process.exitstatus == 1


def environ_of_process() -> dict[str, str]:
    import os

    return {**os.environ, "TERM": "xterm-256color"}


@pytest.mark.parametrize("how", ["variable", "argument", "empty variable"])
def test_no_color_gives_a_picture_without_any_colour(tmp_path, how):
    import re

    import pexpect

    root = write_ugly(tmp_path / "w")
    variable = {"variable": {"NO_COLOR": "1"}, "argument": {}, "empty variable": {"NO_COLOR": ""}}[how]
    process = pexpect.spawn(
        sys.executable,
        [
            "-c",
            f"import sys, devstate_tui; sys.exit(devstate_tui.run({str(root)!r}, no_color={how == 'argument'}))",
        ],
        dimensions=(24, 80),
        timeout=30,
        env={**environ_of_process(), **environ(tmp_path), **variable},
    )
    process.expect("239 of 240")
    seen = process.before
    process.send("q")
    process.expect(pexpect.EOF)
    process.close()
    seen += process.before
    codes = {
        int(code)
        for sequence in re.findall(rb"\x1b\[([0-9;]*)m", seen)
        for code in sequence.split(b";")
        if code
    }
    colours = {code for code in codes if 30 <= code <= 38 or 40 <= code <= 48 or 90 <= code <= 107}
    assert bool(colours) == (how == "empty variable")
    assert process.exitstatus == 0


@pytest.mark.long
def test_an_idle_inspector_writes_nothing(tmp_path):
    import pexpect

    root = write(tmp_path / "w")
    process = pexpect.spawn(
        sys.executable,
        ["-c", f"import sys, devstate_tui; sys.exit(devstate_tui.run({str(root)!r}))"],
        dimensions=(24, 80),
        timeout=30,
        env={**environ_of_process(), **environ(tmp_path)},
    )
    process.expect("VERIFIED 30")
    with pytest.raises(pexpect.TIMEOUT):
        while True:  # the rest of that picture
            process.read_nonblocking(1 << 16, timeout=1)
    with pytest.raises(pexpect.TIMEOUT):
        raise AssertionError(f"it ticks: {process.read_nonblocking(1 << 16, timeout=2)!r}")
    process.send("q")
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 0
