"""Part 1: the command is there, answers quickly known questions, and every example of its help works."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from command_runs import COMMAND, clean_environment, devstate, start
from devstate.demo import demo_workspace, write_demo
from devstate_cli.app import COMMANDS, app
from engine_samples import write_runs
from small_workspace import make


def examples() -> list[str]:
    """Every example of every help."""
    context = click.Context(app)
    found: list[str] = []
    for name in (*COMMANDS, "inspect"):
        command = app.get_command(context, name)
        found += getattr(command, "examples", ())
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found += getattr(command.get_command(context, inner), "examples", ())
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a demo workspace `demo`, an empty folder, and `devstate` as a script in `bin`."""
    folder = tmp_path_factory.mktemp("examples")
    write_demo(folder / "demo", demo_workspace(entries=12))
    write_runs(folder / "demo/.trae/store")
    for name in ("empty", "bin", "functions", ".local/share/bash-completion/completions"):
        (folder / name).mkdir(parents=True)
    (folder / ".config/fish/completions").mkdir(parents=True)
    programs = {
        "bin/devstate": f'#!/bin/sh\nexec "{sys.executable}" -m devstate_cli "$@"\n',
        "bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        "bin/make": "#!/bin/sh\nexit 0\n",
        "demo/scripts/nightly.sh": "#!/bin/sh\nexit 0\n",
        "demo/agent.py": "",
    }
    for name, text in programs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def environment(workshop: Path) -> dict[str, str]:
    env = clean_environment(workshop)
    return {**env, "PATH": f"{workshop / 'bin'}{os.pathsep}{env['PATH']}"}


SHORT = [line for line in examples() if not line.startswith("devstate watch")]


@pytest.mark.parametrize(
    "line", [pytest.param(line, marks=[pytest.mark.long] if at % 6 else []) for at, line in enumerate(SHORT)]
)
def test_examples_of_the_help_work(line: str, workshop: Path) -> None:
    folder = workshop / ("empty" if line.startswith("devstate init") else "demo")
    done = subprocess.run(
        # zsh counts from 1 what bash counts from 0
        ["bash", "-c", f'fpath=(none "$HOME/functions"); {line}'],
        cwd=folder,
        env=environment(workshop),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", [line for line in examples() if line.startswith("devstate watch")])
def test_examples_of_watch_run_until_interrupted(line: str, workshop: Path) -> None:
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=workshop / "demo",
        env=environment(workshop),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_help_and_version(tmp_path: Path) -> None:
    said = devstate("--help", cwd=tmp_path)
    assert said.status == 0 and "Commands:" in said.out and not said.err
    assert devstate("--version", cwd=tmp_path).out.startswith("devstate ")


def test_the_help_pays_for_nothing_else(tmp_path: Path) -> None:
    """What a command does not need is not imported: it would be waited for at each call."""
    heavy = ("textual", "rich", "jsonschema", "watchfiles", "cryptography", "asyncio", "multiprocessing")
    heavy += ("devstate.engine",)
    root = tmp_path / "demo"
    write_demo(root, demo_workspace(entries=12))
    code = (
        "import sys; from devstate_cli.__main__ import main; main(sys.argv[1:]); "
        f"print([name for name in {heavy!r} + tuple(sys.argv[1:2] == ['--help'] and ('msgspec', 'json') or ()) "
        "if name in sys.modules])"
    )
    for line in (["--help"], ["-C", str(root), "verify"], ["-C", str(root), "verify", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *line],
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"


def test_completions_come_from_the_command(tmp_path: Path) -> None:
    env = {**clean_environment(tmp_path), "_DEVSTATE_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    done = subprocess.run(
        COMMAND,
        env={**env, "COMP_WORDS": "devstate v"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["plain,verify", "plain,validate"]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", demo_workspace(entries=3000))
    process = start("-C", tmp_path / "demo", "history", "list", "--limit", "0", "--json", cwd=tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
    process.stderr.close()


def test_an_ascii_terminal_gets_escapes_and_no_crash(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", demo_workspace(entries=12))
    said = devstate("verify", cwd=tmp_path / "demo", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert said.status == 0
    assert "VERIFIED" in said.out and said.out.isascii()


def test_documents_are_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    root = tmp_path / "Größe"
    make(root)
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    assert devstate("status", "--json", cwd=root, env=ascii_only).document["workspace"] == str(root)
    assert "Größe" in devstate("validate", "--format", "html", cwd=root, env=ascii_only).out
    assert (
        "Größe"
        in devstate("-C", root / "x", "status", "--json", cwd=root, env=ascii_only).document["error"][
            "message"
        ]
    )


def test_an_interrupt_is_a_sentence_and_a_document(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "init", "project", "--json"],
            cwd=tmp_path,
            env=clean_environment(tmp_path),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )
        asked = b""
        while b"Go ahead?" not in asked:
            asked += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        os.close(master)
        os.close(terminal)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "INTERRUPTED"


def test_a_private_secret_does_not_spoil_the_demo(tmp_path: Path) -> None:
    private = {"BEAMLINE_HMAC_SECRET": "a private secret of mine", "CI": "true"}
    said = devstate("--demo", "--json", cwd=tmp_path, env=private)
    assert said.status == 0
    assert said.document["ok"] is True
    made = devstate("init", "demo", "--demo", "--yes", cwd=tmp_path, env=private)
    assert "env -u BEAMLINE_HMAC_SECRET" in made.out
