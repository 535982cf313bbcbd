"""Call the command on a workspace, in a clean environment, and judge what it says."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from forge.chain import mac
from forge.keys import PUBLIC

# The class of each code, as the format's description gives it; WEAK_KEY is an error or a warning.
WARNINGS = {
    "FIELD_BOUNDARY_AMBIGUOUS",
    "TIME_REGRESSION",
    "FUTURE_TIME",
    "KEY_UNDECLARED",
    "STATE_UNBOUND",
    "CONTROL_CHARS",
    "SCHEMA_WEAKENED",
}
INFORMATION = {"UNCOVERED_FIELD", "COMPLETENESS_UNPROVEN", "FORMAT_NONCANONICAL", "NOT_PROVABLE"}
WAIT = 60  # seconds after which a call counts as hanging


class Said(NamedTuple):
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document = json.loads(self.stdout, parse_constant=refuse)
        assert isinstance(document, dict)
        return document

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings; an error that ended the command counts as one."""
        document = self.document
        failed = document.get("error")
        ended = [{"code": failed["code"], "severity": "error", "where": {}}] if failed else []
        return [*document.get("findings", []), *ended]


def refuse(token: str) -> None:
    raise AssertionError(f"{token} is not JSON")


def arguments(workspace: str, command: str, args: list[str], *, as_json: bool = True) -> list[str]:
    given = [arg.replace("{workspace}", workspace) for arg in args]
    return ["-C", workspace, *(["--json"] if as_json else ["--no-color"]), command, *given]


def in_a_process(argv: list[str], env: Mapping[str, str], home: str) -> Said:
    """Run the command as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "devstate_cli", *argv],
        capture_output=True,
        env={**clean(env, home), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        timeout=WAIT,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def in_this_process(argv: list[str], env: Mapping[str, str], home: str, captured: Any) -> Said:
    """The same without the price of a new process; `captured` is pytest's capfdbinary."""
    from devstate_cli.__main__ import main

    captured.readouterr()
    with environment(clean(env, home)):
        try:
            status = main(argv)
        except SystemExit as ended:
            status = int(ended.code or 0)
    sys.stdout.flush()
    out, err = captured.readouterr()
    return Said(status, out, err)


def clean(env: Mapping[str, str], home: str) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "HOME": home, **env}


@contextlib.contextmanager
def environment(env: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def judge(said: Said, expect: Mapping[str, Any], what: str) -> None:
    """Hold what was said to `expect.json`."""
    told = f"{what}\n{said.stdout[:6000]!r}\n{said.stderr[:2000]!r}"
    codes = {finding["code"] for finding in said.findings}
    errors = {finding["code"] for finding in said.findings if finding["severity"] == "error"}
    allowed = expect["exit"] if isinstance(expect["exit"], list) else [expect["exit"]]
    assert said.status in allowed, f"exit {said.status} instead of {allowed}\n{told}"
    assert codes >= set(expect["codes"]), f"missing {set(expect['codes']) - codes}\n{told}"
    if "errors_exactly" in expect:
        assert errors == set(expect["errors_exactly"]), f"errors {errors}\n{told}"
    if "errors_within" in expect:
        assert errors <= set(expect["errors_within"]), f"errors {errors}\n{told}"
    if "errors_any_of" in expect:
        assert errors & set(expect["errors_any_of"]), f"errors {errors}\n{told}"
    for code, entries in expect.get("at", {}).items():
        named = sorted({f["where"].get("entry") for f in said.findings if f["code"] == code}, key=str)
        assert named == sorted(entries, key=str), f"{code} at {named} instead of {entries}\n{told}"
    for member in ("first_bad", "entries"):
        if member in expect:
            got = said.document.get(member)
            assert got == expect[member], f"{member} is {got} instead of {expect[member]}\n{told}"
    well_formed(said, expect["command"], told)


def judge_near_miss(said: Said, expect: Mapping[str, Any], what: str) -> None:
    """A near-miss gives no error, and none of the codes of the attack."""
    near = expect["near_miss"]
    told = f"{what} (near miss)\n{said.stdout[:6000]!r}\n{said.stderr[:2000]!r}"
    assert said.status == near["exit"], f"exit {said.status}\n{told}"
    assert not [finding for finding in said.findings if finding["severity"] == "error"], told
    found = {finding["code"] for finding in said.findings} & set(near["absent"])
    assert not found, f"there are {found}\n{told}"
    if expect["command"] == "verify":
        assert said.document["first_bad"] is None, told
        assert said.document["verified"] == said.document["entries"], told
    well_formed(said, expect["command"], told)


def well_formed(said: Said, command: str, told: str) -> None:
    """What holds for every call, good or bad."""
    document = said.document
    assert document["schema"] == f"devstate.{command}/1", told
    if "error" not in document:
        assert document["ok"] is (said.status == 0), told
    assert b"Traceback" not in said.stderr, told
    for finding in said.findings:
        code, severity = finding["code"], finding["severity"]
        if code in INFORMATION:
            assert severity == "info", told
        elif code in WARNINGS:
            assert severity == "warning", told
        elif code != "WEAK_KEY":
            assert severity == "error", told


def discreet(said: Said, history: bytes, env: Mapping[str, str], what: str) -> None:
    """No secret is shown, nor more than 16 digits of a computed HMAC that is not the stored one."""
    output = said.stdout + said.stderr
    secrets = [value for value in env.values() if value not in ("true", "false")]
    for secret in secrets:
        if len(secret) >= 15 and secret not in PUBLIC:
            assert secret.encode() not in output, f"{what}: the secret is shown"
    for entry in entries_of(history):
        stored = entry.get("hmac")
        for secret in secrets:
            computed = mac(entry, secret)
            if isinstance(stored, str) and stored.strip("\n\0").lower() == computed:
                continue
            assert computed[:17].encode() not in output, f"{what}: a computed HMAC is shown"


def entries_of(history: bytes) -> list[dict[str, Any]]:
    """The entries as far as an ordinary reader sees them; a damaged file has none."""
    try:
        document = json.loads(history)
    except (ValueError, RecursionError):
        return []
    if isinstance(document, dict):
        document = document.get("entries")
    return [entry for entry in document if isinstance(entry, dict)] if isinstance(document, list) else []
