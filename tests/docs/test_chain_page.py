"""docs/formats/chain-v1.md: its vector and its verifier, run as they stand there."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

from devstate.chain import COVERED, MEMBERS, PUBLIC_SECRETS, REQUIRED, Keyring, format_history, verify_history
from devstate.demo import TAMPERS, demo_workspace
from devstate.findings import CODES

PAGE = (Path(__file__).parents[2] / "docs/formats/chain-v1.md").read_text("utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def plain_verifier() -> Any:
    """The function `verify` of the page."""
    names: dict[str, Any] = {}
    exec(block("python", 1), names)
    return names["verify"]


def test_the_vector_is_right() -> None:
    entry = json.loads(block("json"))
    covered = "".join(entry[name] for name in ("ts", "actor", "action", "state_checksum", "hmac_prev"))
    assert covered == block("text").strip()
    assert hmac.new(PUBLIC_SECRETS[0].encode(), covered.encode(), hashlib.sha256).hexdigest() == entry["hmac"]
    assert PUBLIC_SECRETS[0] in PAGE


def test_the_vector_stands_in_the_reference_serialisation_and_verifies() -> None:
    entry = json.loads(block("json"))
    data = format_history([entry])
    assert data.decode() == json.dumps([entry], indent=4, ensure_ascii=False)
    report = verify_history(data, keyring=Keyring.public_default())
    assert report.ok
    assert "FORMAT_NONCANONICAL" not in {finding.code for finding in report.findings}


def test_the_verifier_of_the_page_agrees_on_a_sound_chain_and_a_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    for tamper, good in ((None, True), ("HMAC_MISMATCH", False), ("CHAIN_LINK_BROKEN", False)):
        path.write_bytes(b"".join(demo_workspace(entries=12, tamper=tamper).history_chunks()))
        assert plain_verifier()(str(path), PUBLIC_SECRETS[0].encode()) is good


def test_the_table_of_members_is_that_of_the_reader() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| .* \| (yes|no) \| (yes|no|) ?\|$", PAGE, re.MULTILINE)
    assert tuple(name for name, _, _ in rows) == MEMBERS
    assert {name for name, required, _ in rows if required == "yes"} == set(REQUIRED)
    assert {name for name, _, covered in rows if covered == "yes"} == set(COVERED)


def test_the_codes_of_the_page_exist() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z0-9]+)+\b", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))
    assert named <= CODES.keys()
    assert {"HMAC_MISMATCH", "CHAIN_LINK_BROKEN"} <= named & {tamper.code for tamper in TAMPERS.values()}
