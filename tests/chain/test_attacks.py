"""Every manipulation of the attack table, through the command: what it finds, and what it leaves alone."""

from __future__ import annotations

import filecmp
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ATTACKS = Path(__file__).parent / "attacks"
sys.path.insert(0, str(ATTACKS))

from calling import Said, arguments, discreet, in_a_process, in_this_process, judge, judge_near_miss  # noqa: E402
from forge.cases import Case  # noqa: E402
from forge.chain import ENV, chain, dump  # noqa: E402
from generate import corpus  # noqa: E402
from surroundings import Writer, prepare  # noqa: E402

CASES = corpus().cases
STATIC = [slug for slug, case in CASES.items() if "dynamic" not in case.expect]
DYNAMIC = [slug for slug in CASES if slug not in STATIC and slug != "37_changes_while_read"]
PROCESSES = STATIC[::25]
TWICE = sorted({*[slug for slug in STATIC if CASES[slug].big][::3], "01_large_in_parts"})
SPOKEN = [slug for slug in STATIC if slug[:2] in ("01", "17", "45") and not CASES[slug].big]

# What acts on a screen when it is printed: C0 but the line end, DEL, C1, and the bidirectional controls.
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


def lay_out(folder: Path, files: dict[str, bytes]) -> str:
    (folder / ".trae").mkdir(parents=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return str(folder)


def history_of(case: Case) -> bytes:
    return case.files.get(".trae/history.json", b"")


@pytest.fixture
def call(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Calls the command in this process: call(workspace, command, args, env, as_json=True)."""
    home = tmp_path / "home"
    home.mkdir()

    def run(
        workspace: str, command: str, args: list[str], env: dict[str, str], *, as_json: bool = True
    ) -> Said:
        argv = arguments(workspace, command, args, as_json=as_json)
        return in_this_process(argv, env, str(home), capfdbinary)

    return run


@pytest.mark.parametrize("slug", STATIC)
def test_attack(slug: str, tmp_path: Path, call: Any) -> None:
    case = CASES[slug]
    expect, near = case.expect, case.expect["near_miss"]
    said = call(lay_out(tmp_path / "w", case.files), expect["command"], expect["args"], expect["env"])
    judge(said, expect, f"{slug}: {case.what}")
    discreet(said, history_of(case), expect["env"], slug)
    said = call(lay_out(tmp_path / "n", case.near), expect["command"], near["args"], near["env"])
    judge_near_miss(said, expect, f"{slug}: {near['what']}")


@pytest.mark.parametrize("slug", DYNAMIC)
def test_attack_that_no_file_can_hold(slug: str, tmp_path: Path) -> None:
    case = CASES[slug]
    workspace = lay_out(tmp_path / "w", case.files)
    prepare(case.expect["dynamic"], workspace)
    argv = arguments(workspace, case.expect["command"], case.expect["args"])
    judge(in_a_process(argv, case.expect["env"], str(tmp_path)), case.expect, f"{slug}: {case.what}")
    argv = arguments(lay_out(tmp_path / "n", case.near), case.expect["command"], [])
    judge_near_miss(in_a_process(argv, case.expect["env"], str(tmp_path)), case.expect, slug)


@pytest.mark.parametrize("slug", PROCESSES)
def test_attack_in_a_process_of_its_own(slug: str, tmp_path: Path) -> None:
    case = CASES[slug]
    argv = arguments(lay_out(tmp_path / "w", case.files), case.expect["command"], case.expect["args"])
    said = in_a_process(argv, case.expect["env"], str(tmp_path))
    judge(said, case.expect, f"{slug}: {case.what}")
    discreet(said, history_of(case), case.expect["env"], slug)


@pytest.mark.parametrize("slug", TWICE)
def test_two_workers_say_what_one_says(slug: str, tmp_path: Path, call: Any) -> None:
    case = CASES[slug]
    workspace = lay_out(tmp_path / "w", case.files)
    one, two = (
        call(workspace, "verify", [*case.expect["args"], "--jobs", jobs], case.expect["env"]) for jobs in "12"
    )
    assert one.status == two.status
    assert {**one.document, "elapsed_ms": 0} == {**two.document, "elapsed_ms": 0}


@pytest.mark.parametrize("slug", SPOKEN)
def test_the_text_is_harmless(slug: str, tmp_path: Path, call: Any) -> None:
    """What a person reads acts on no screen and tells no secret: the verdict and the list of entries."""
    case = CASES[slug]
    workspace = lay_out(tmp_path / "w", case.files)
    for command, args in (("verify", case.expect["args"]), ("history", ["list"])):
        said = call(workspace, command, args, case.expect["env"], as_json=False)
        assert said.status in (0, case.expect["exit"])
        assert not ACTING.search((said.stdout + said.stderr).decode()), command
        assert b"Traceback" not in said.stderr
        discreet(said, history_of(case), case.expect["env"], slug)


@pytest.mark.parametrize("slug", [slug for slug in SPOKEN if slug[:2] == "45"])
def test_json_is_harmless_too(slug: str, tmp_path: Path, call: Any) -> None:
    case = CASES[slug]
    workspace = lay_out(tmp_path / "w", case.files)
    said = call(workspace, "verify", [], case.expect["env"])
    assert not ACTING.search(said.stdout.decode())


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    case = CASES["37_changes_while_read"]
    workspace = lay_out(tmp_path / "w", case.files)
    prepare(case.expect["dynamic"], workspace)
    argv = arguments(workspace, "verify", [])
    still = in_a_process(argv, case.expect["env"], str(tmp_path))
    assert still.status == 0, still
    with Writer(os.path.join(workspace, ".trae", "history.json")):
        # The writer may sleep through one short read; it does not sleep through ten.
        for _ in range(10):
            said = in_a_process(argv, case.expect["env"], str(tmp_path))
            if said.status == case.expect["exit"]:
                break
    judge(said, case.expect, case.what)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "dangling link", "link to a device"])
def test_no_regular_file_in_place_of_the_history(kind: str, tmp_path: Path) -> None:
    """Reading it could block or never end; the command says so and cannot decide."""
    workspace = tmp_path / "w"
    lay_out(workspace, {name: data for name, data in CASES["01_ts_first"].near.items() if "state" in name})
    history = workspace / ".trae" / "history.json"
    if kind == "folder":
        history.mkdir()
    elif kind == "pipe":
        os.mkfifo(history)
    elif kind == "dangling link":
        history.symlink_to("nowhere.json")
    elif kind == "link to a device":
        history.symlink_to("/dev/zero")
    said = in_a_process(arguments(str(workspace), "verify", []), ENV, str(tmp_path))
    codes = {finding["code"] for finding in said.findings}
    assert said.status == 3
    assert codes & {"INPUT_MISSING", "INPUT_UNREADABLE"}
    assert b"Traceback" not in said.stderr


def test_the_committed_corpus_is_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ATTACKS / "generate.py"), str(tmp_path)], check=True, timeout=60)
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    committed = {
        str(path.relative_to(ATTACKS))
        for folder in ATTACKS.glob("[0-9][0-9]_*")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert written == committed
    _, different, unreadable = filecmp.cmpfiles(tmp_path, ATTACKS, sorted(written), shallow=False)
    assert not different
    assert not unreadable


def test_the_generator_knows_nothing_of_the_product(tmp_path: Path) -> None:
    code = (
        "import sys, generate; generate.corpus(); print([m for m in sys.modules if m.startswith('devstate')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ATTACKS, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_every_row_has_an_attack() -> None:
    rows = {case.expect["row"] for case in CASES.values()}
    assert rows >= {1, *range(2, 10), 12, *range(16, 19), *range(20, 30), *range(33, 40), 44, 45}


def test_the_honest_chain_is_the_reference() -> None:
    """The corpus stands on it: one entry more or one byte less would make every expectation worthless."""
    assert dump(chain(1)).startswith(
        b'[\n    {\n        "ts": "2025-03-01T08:00:00Z",\n        "actor": "AGENT_1'
    )
