"""No secret, and no HMAC that was computed, appears in any output of any command in any format."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_runs import clean_environment, devstate, entries_of
from devstate_cli.__main__ import main
from small_workspace import HISTORY, make

CANARY = "canary-7f3a9b-of-the-secret"
FORMS = ("text", "json", "sarif", "junit", "markdown", "html")
LINES = [
    ["status"],
    ["doctor"],
    ["state", "get"],
    ["history", "list"],
    ["history", "list", "--unmasked"],
    ["history", "search", "step"],
    ["history", "show", "2"],
    ["history", "show", "2", "--unmasked"],
    ["mask", "check", "."],
    ["init", "--yes"],
    ["init", "new", "--yes"],
    ["completion", "bash"],
    ["history", "show", "99"],
    ["nonsense"],
    *(["verify", "--format", form] for form in FORMS if form != "json"),
    *(["validate", "--format", form] for form in FORMS if form != "json"),
]


def shapes(secret: str) -> Iterator[str]:
    data = secret.encode()
    yield from (secret, data.hex(), base64.b64encode(data).decode().rstrip("="), secret[:12])


def right_hmac(root: Path, index: int) -> str:
    """What the HMAC of a changed entry would have to be: with it anybody could finish the forgery."""
    entry = entries_of(root)[index]
    text = "".join(entry[name] for name in ("ts", "actor", "action", "state_checksum", "hmac_prev"))
    return hmac.new(CANARY.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    root = make(tmp_path / "project", 5)
    from small_workspace import STATE, history, sha256

    data = history(5, sha256((root / STATE).read_bytes()), secret=CANARY.encode())
    (root / HISTORY).write_bytes(data.replace(b"step_2", b"step_x", 1))
    (root / "leak.log").write_text(f"export BEAMLINE_HMAC_SECRET={CANARY}\n")
    return root


def said_here(line: list[str]) -> str:
    """What the command prints, in this process; an escaped exception counts with its whole traceback."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line)
        except Exception:  # --debug lets it through
            err.write(traceback.format_exc())
    return out.getvalue() + err.getvalue()


@pytest.mark.parametrize("source", ["environment", "alias", "file", "ring"])
def test_no_output_holds_the_secret(source: str, tampered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CI",
        "GITHUB_ACTIONS",
        "GITLAB_CI",
        "DRONE",
        "PRODUCTION",
        "BEAMLINE_HMAC_SECRET",
        "HMAC_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tampered)
    more: list[str] = []
    (tampered.parent / "secret").write_text(CANARY)
    if source == "environment":
        monkeypatch.setenv("BEAMLINE_HMAC_SECRET", CANARY)
    elif source == "alias":
        monkeypatch.setenv("HMAC_SECRET", CANARY)
    elif source == "file":
        more = ["--secret-file", str(tampered.parent / "secret")]
    else:
        ring = {"keys": [{"kid": "k1", "secret_file": "secret"}]}
        (tampered.parent / "ring.json").write_text(json.dumps(ring))
        more = ["--keyring", str(tampered.parent / "ring.json")]
    forgery = right_hmac(tampered, 2)
    for line in LINES:
        for options in ([], ["--json"], ["--debug"]):
            if options == ["--json"] and "--format" in line:
                continue
            text = said_here([*more, *options, *line])
            assert text
            for shape in (*shapes(CANARY), forgery, forgery[17:]):
                assert shape not in text, (line, options)


def test_a_process_of_its_own_keeps_it_too(tampered: Path) -> None:
    said = devstate("verify", "--json", cwd=tampered, env={"BEAMLINE_HMAC_SECRET": CANARY})
    assert said.status == 1
    assert said.document["first_bad"] == 2
    shown = said.out + said.err
    assert right_hmac(tampered, 2) not in shown and CANARY not in shown
    assert right_hmac(tampered, 2)[:16] + "..." in shown


def test_a_ring_that_holds_a_secret_by_mistake_is_not_quoted(tampered: Path) -> None:
    ring = tampered / "ring.json"
    ring.write_text(json.dumps({"keys": [{"kid": "k1", "secret": CANARY}]}))
    said = devstate("verify", "--keyring", ring, "--json", cwd=tampered)
    assert said.status == 2
    assert CANARY not in said.out + said.err


def test_the_environment_of_the_tests_has_no_secret() -> None:
    """Else the tests above would prove nothing about defaults."""
    assert not any("SECRET" in name for name in clean_environment("/nowhere"))
