"""Part 4: `devstate watch --json` sends a line for each real change of the files."""

from __future__ import annotations

import json
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from command_runs import start
from small_workspace import HISTORY, SECRET, STATE, history, make, replace, sha256, state

KEY = {"BEAMLINE_HMAC_SECRET": SECRET.decode()}


class Watch:
    """A running `devstate watch --json`, its documents and its end."""

    def __init__(self, root: Path, *arguments: str) -> None:
        self._process = start("-C", root, "watch", "--json", *arguments, cwd=root.parent, env=KEY)
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def next(self) -> Any:
        return json.loads(self._lines.get(timeout=30))

    def until(self, test: Any) -> Any:
        """The first document for which the test holds; those before it are of a change seen half-way."""
        while not test(document := self.next()):
            pass
        return document

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self._process.send_signal(number)
        status = self._process.wait(timeout=30)
        assert self._process.stderr is not None
        return status, self._process.stderr.read()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(timeout=10)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def watching(root: Path, *arguments: str) -> Iterator[Watch]:
    watch = Watch(root, *arguments)
    try:
        yield watch
    finally:
        watch.close()


def test_each_change_is_a_document(tmp_path: Path) -> None:
    root = make(tmp_path / "project", 4)
    good = (root / HISTORY).read_bytes()
    with watching(root) as watch:
        first = watch.next()
        assert first["schema"] == "devstate.watch/1"
        assert first["ok"] is True and first["revision"] == 1 and first["changed"] == []

        replace(root / HISTORY, good.replace(b"step_2", b"step_9", 1))
        broken = watch.until(lambda document: not document["ok"])
        assert broken["chain"]["first_bad"] == 2
        assert broken["changed"] == ["history"]
        assert "HMAC_MISMATCH" in {finding["code"] for finding in broken["findings"]}

        (root / HISTORY).write_bytes(good)
        watch.until(lambda document: document["ok"])

        (root / HISTORY).unlink()
        gone = watch.until(lambda document: document["chain"]["entries"] is None)
        assert "INPUT_MISSING" in {finding["code"] for finding in gone["findings"]}

        replace(root / HISTORY, history(6, sha256((root / STATE).read_bytes())))
        grown = watch.until(lambda document: document["ok"])
        assert grown["chain"]["entries"] == 6
        assert watch.end() == (0, "")


def test_a_burst_ends_with_the_last_content(tmp_path: Path) -> None:
    root = make(tmp_path / "project", 2)
    with watching(root) as watch:
        watch.next()
        for number in range(40):
            replace(root / STATE, state(project=f"project {number}"))
        last = watch.until(lambda document: document["project"] == "project 39")
        assert last["revision"] < 42
        assert watch.end(signal.SIGTERM)[0] == 0


def test_a_workspace_that_appears_later(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    with watching(root) as watch:
        assert watch.next()["chain"]["entries"] is None
        make(root, 3)
        assert watch.until(lambda document: document["ok"])["chain"]["entries"] == 3
        assert watch.end()[0] == 0


def test_exec_runs_after_a_change_and_not_before(tmp_path: Path) -> None:
    root = make(tmp_path / "project", 2)
    told = tmp_path / "told"
    with watching(root, "--exec", f'echo "$DEVSTATE_OK $DEVSTATE_REVISION" >> "{told}"; echo noise') as watch:
        watch.next()
        assert not told.exists()
        replace(root / STATE, state(project="other"))
        watch.next()
        replace(root / HISTORY, history(3, sha256((root / STATE).read_bytes())))
        watch.until(lambda document: document["chain"]["entries"] == 3)
        status, noise = watch.end()
        assert status == 0
    lines = told.read_text().splitlines()
    assert lines[0].startswith("true 2")
    assert noise.count("noise") == len(lines)


@pytest.mark.parametrize("arguments", [["watch"], ["watch", "--json"]])
def test_a_missing_folder_is_said(arguments: list[str], tmp_path: Path) -> None:
    process = start("-C", tmp_path / "absent", *arguments, cwd=tmp_path)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "Traceback" not in err
    assert ("--json" in arguments) == bool(out)
