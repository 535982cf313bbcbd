"""Global options, usage errors, and what every command has in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from command_runs import Run
from devstate import __version__
from devstate_cli.app import COMMANDS, app

Call = Callable[..., Run]


def every_command() -> list[tuple[str, ...]]:
    """The words of each command and subcommand that is shown."""
    found: list[tuple[str, ...]] = []
    context = click.Context(app)
    for name in COMMANDS:
        command = app.get_command(context, name)
        assert command is not None
        found.append((name,))
        if isinstance(command, click.Group):
            inner = {word: command.get_command(context, word) for word in command.list_commands(context)}
            found += [(name, word) for word, item in inner.items() if item is None or not item.hidden]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], call: Call) -> None:
    said = call(*words, "--help")
    assert said.status == 0
    assert f"$ devstate {words[0]}" in said.out or f"$ devstate -C . {words[0]}" in said.out
    assert said.err == ""


def test_help_lists_every_command(call: Call) -> None:
    said = call("--help")
    assert all(f"  {name} " in said.out for name in COMMANDS)
    for hidden in ("  inspect", "--pin", "--since-checkpoint", "--store", "verify_chain"):
        assert hidden not in said.out + call("verify", "--help").out + call("init", "--help").out


def test_version(call: Call) -> None:
    assert call("--version").out == f"devstate {__version__}\n"
    assert call("--version", "--json").document == {
        "schema": "devstate.version/1",
        "version": __version__,
    } or (call("--json", "--version").document["version"] == __version__)


@pytest.mark.parametrize(
    "line",
    [
        ("--json", "-C", ".", "state", "checksum"),
        ("state", "--json", "-C", ".", "checksum"),
        ("state", "checksum", "--json", "-C", "."),
        ("-C", ".", "state", "checksum", "--json"),
    ],
    ids=" ".join,
)
def test_global_options_anywhere(line: tuple[str, ...], demo: Path, call: Call) -> None:
    said = call(*line)
    assert said.status == 0
    assert said.document["schema"] == "devstate.state.checksum/1"


def test_the_workspace_is_found_from_below(demo: Path, call: Call) -> None:
    assert call("status", "--json", cwd=demo / "docs").document["workspace"] == str(demo)


@pytest.mark.parametrize(
    ("line", "schema"),
    [
        (("nonsense",), "devstate/1"),
        (("--nonsense",), "devstate/1"),
        (("verify", "--nonsense"), "devstate.verify/1"),
        (("verify_chain", "--jobs", "many"), "devstate.verify/1"),
        (("verify", "--format", "pdf"), "devstate.verify/1"),
        (("history",), "devstate.history/1"),
        (("history", "show"), "devstate.history.show/1"),
        (("history", "show", "24"), "devstate.history.show/1"),
        (("history", "show", "x"), "devstate.history.show/1"),
        (("history", "list", "--since", "soon"), "devstate.history.list/1"),
        (("state", "get", "nonsense"), "devstate.state.get/1"),
        (("state", "get", "/absent"), "devstate.state.get/1"),
        (("state", "history", "/x"), "devstate.state.history/1"),
        (("mask", "check"), "devstate.mask.check/1"),
        (("verify", "--pin", "p"), "devstate.verify/1"),
        (("verify", "--since-checkpoint", "f"), "devstate.verify/1"),
        (("validate", "--store"), "devstate.validate/1"),
        (("init", "--runs", "3"), "devstate.init/1"),
        (("init", "--entries", "3"), "devstate.init/1"),
        (("init", "elsewhere", "--demo", "--entries", "0"), "devstate.init/1"),
        (("init", "elsewhere", "--demo", "--tamper", "NO_SUCH"), "devstate.init/1"),
        (("completion", "csh"), "devstate.completion/1"),
        (("verify", "--secret", "hunter2hunter2"), "devstate/1"),
        (("verify", "--secret=hunter2hunter2"), "devstate/1"),
        (("--demo", "-C", "."), "devstate.status/1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_status_2_with_a_remedy(
    line: tuple[str, ...], schema: str, demo: Path, call: Call
) -> None:
    said = call(*line)
    assert said.status == 2, said
    assert said.out == ""
    assert said.err.count("\n") >= 2 or said.err.startswith("Usage:")
    assert "Traceback" not in said.err and "hunter2" not in said.err

    said = call("--json", *line)
    assert said.status == 2
    assert said.document["schema"] == schema
    assert said.document["ok"] is False
    error = said.document["error"]
    assert error["code"] == "USAGE" and error["message"] and error["remedy"]
    assert "hunter2" not in said.out + said.err


def test_a_secret_as_an_argument_is_refused_even_where_it_would_fit(demo: Path, call: Call) -> None:
    said = call("history", "search", "hunter2hunter2", env={"BEAMLINE_HMAC_SECRET": "hunter2hunter2"})
    assert said.status == 2
    assert "hunter2" not in said.err


def test_nearest_command_is_offered(call: Call) -> None:
    assert "devstate verify" in call("verfy").err


def test_a_folder_without_workspace_is_status_3(tmp_path: Path, call: Call) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for line in (["status"], ["verify"], ["validate"], ["state", "get"], ["history", "list"], []):
        said = call(*line, cwd=empty)
        assert said.status == 3
        assert "devstate init" in said.err
        said = call(*line, "--json", cwd=empty)
        assert said.status == 3
        assert said.document["error"]["code"] == "INPUT_MISSING"


def test_no_colour_without_a_terminal(demo: Path, call: Call) -> None:
    for line in (["status"], ["verify"], ["validate"], ["history", "show", "0"], ["doctor"]):
        assert "\x1b" not in call(*line).out


def test_without_a_terminal_the_inspector_is_the_status(demo: Path, call: Call) -> None:
    assert call("--json").document == call("status", "--json").document
    assert call(demo, cwd=demo.parent).out == call("status").out
    assert call(demo, "--json", cwd=demo.parent).document["schema"] == "devstate.status/1"


def test_demo_without_a_folder(tmp_path: Path, call: Call) -> None:
    said = call("--demo", "--json", env={"CI": "true"})
    assert said.status == 0
    assert said.document["chain"]["entries"] == 120
    assert not Path(said.document["workspace"]).exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, call: Call) -> None:
    said = call("completion", shell)
    assert said.status == 0
    assert "_DEVSTATE_COMPLETE" in said.out
    assert f"devstate completion {shell} >" in said.out
    assert call("completion", shell, "--json").document["shell"] == shell
    assert json.loads(call("--json", "completion", shell).out)["script"]
