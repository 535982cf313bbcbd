"""Masking: what counts as a whole HMAC or a secret, where it may stand, and that masking leaves none."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.chain.keys import PUBLIC_SECRETS
from devstate.trae import find_unmasked, mask

UPSTREAM = Path(__file__).parents[1] / "data" / "upstream"
A, B = "ab" * 32, "0123456789abcdef" * 4
SECRET = b's3cret/value+"xyz'


def lines(text: str, file: str = "build.log", secrets: tuple[bytes, ...] = ()) -> list[int | None]:
    return [finding.where.line for finding in find_unmasked(text.encode(), file=file, secrets=secrets)]


@pytest.mark.parametrize(
    "text",
    [
        f"hmac={A}",
        f"HMAC: {A}",
        f"hmac {A.upper()}",
        f"newHmac -> {A}",
        f'"hmac_prev": "{A}"',
        f'"hmac":\n    "{A}"',
        f"hmac_{A}",
        f"hmac=0x{A}",
        f"HMAC-SHA256: {A}",
        f"hmac-sha256={A}",
        f"hmac digest {A}",
        f"X-Hub-Signature-256: sha256={A}",
        f"signature '{A}'",
        f"seal:{A}",
        f"mac={A}",
        f"sig = {A}",
        f"HMAC mismatch at entry 3: stored {A}",
        f"state_checksum={B} hmac={A}",
        f"{A} (hmac)",
        f"checked\nok\nhmac {A}",
    ],
)
def test_what_is_a_whole_hmac(text: str) -> None:
    (finding,) = find_unmasked(text.encode(), file="build.log")
    assert finding.code == "UNMASKED_SECRET"
    place = max(text.find(A), text.find(A.upper()))
    assert finding.where.offset == place
    assert finding.where.line == text.count("\n", 0, place) + 1
    assert A not in repr(finding).lower()
    assert finding.actual == text[place : place + 16] + "..."
    assert lines(mask(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"sha256:{A}",
        f"sha256 {A}",
        f"state_checksum={A}",
        f'"hash": "{A}"',
        f"digest {A}",
        f"commit {A}",
        f"{A}  docs/hmac.md\n{B}  docs/seal.md",
        f"{A}  docs/a\n{B}  docs/b",
        f"hmac ok, checksum {A}",
        f'hmac_prev="" state_checksum="{A}"',
        f"hmac={A[:16]}...",
        f"hmac={A[:63]}",
        f"hmac={A}0",
        f"hmac={A + B}",
        f"stomach machine signal {A}",
        "the default `beamline-secret-key-v1` is public",
        "docs/dev-secret-not-for-prod.md",
    ],
)
def test_what_may_be_shown(text: str) -> None:
    assert find_unmasked(text.encode(), file="build.log") == ()
    assert mask(text) == text


def test_a_list_of_hmacs() -> None:
    assert lines(f"hmacs: [{A}, {B},\n{A}]") == [1, 1, 2]
    assert lines(f"hmac expected {A}, got {B}") == [1, 1]
    assert lines(f"sha256 {A}, {B}") == []


@pytest.mark.parametrize(
    "name",
    [
        "state.json",
        "history.json",
        ".trae/history.json",
        "history.sample.json",
        "x/valid_history.json",
        "history-000001.json",
    ],
)
def test_documents_hold_hmacs_in_their_own_members(name: str) -> None:
    data = (UPSTREAM / "history" / "history.sample.json").read_bytes()
    assert find_unmasked(data, file=name) == ()
    assert len(find_unmasked(data, file="build.log")) == 5
    note = json.dumps([{"hmac": A, "metadata": {"note": f"hmac {B}"}}])
    (finding,) = find_unmasked(note.encode(), file=name)
    assert finding.where.offset == note.index(B)
    assert len(find_unmasked(json.dumps({"computed_hmac": A}).encode(), file=name)) == 1


def test_a_log_is_no_document_by_its_name() -> None:
    assert lines(f'ERROR "hmac": "{A}"', file="history.json") == [1]
    assert lines(f'{{"hmac": "{A}"}}', file="prehistory.json") == [1]
    assert lines(f'{{"hmac": "{A}"}}', file="history.log") == [1]


@pytest.mark.parametrize("secret", PUBLIC_SECRETS)
def test_public_secrets_as_values(secret: str) -> None:
    for text in (f"HMAC_SECRET={secret}", f'"secret": "{secret}"', f"secret: {secret}\n", f"'{secret}'"):
        (finding,) = find_unmasked(text.encode(), file="ci.yml")
        assert secret not in repr(finding)
        assert finding.actual == "[MASKED]"
        assert mask(text) == text.replace(secret, "[MASKED]")


@pytest.mark.parametrize(
    "form",
    [
        SECRET.decode(),
        json.dumps(SECRET.decode()),
        SECRET.hex(),
        SECRET.hex().upper(),
        base64.b64encode(SECRET).decode(),
        "prefix" + SECRET.decode() + "suffix",
    ],
)
def test_configured_secrets_anywhere(form: str) -> None:
    text = f"first\nlast {form} end"
    (finding,) = find_unmasked(text.encode(), file="state.json", secrets=[SECRET])
    assert finding.where.line == 2
    shown = repr(finding)
    assert not any(part in shown for part in (SECRET.decode(), SECRET.hex(), form))
    assert lines(mask(text, secrets=[SECRET]), secrets=(SECRET,)) == []


def test_other_secrets() -> None:
    assert lines("the word abc, abcd, xabc", secrets=(b"abc",)) == [1]
    assert lines("anything", secrets=(b"",)) == []
    assert lines("x\xff", secrets=(b"\xff\xfe\xfd",)) == []
    assert find_unmasked(b"a \xff\xfe\xfd b", file="x", secrets=[b"\xff\xfe\xfd"]) != ()
    assert (
        len(find_unmasked(b"KEY=beamline-secret-key-v1", file="x", secrets=[b"beamline-secret-key-v1"])) == 1
    )
    assert lines("the default beamline-secret-key-v1 is public", secrets=(b"beamline-secret-key-v1",)) == []
    # An HMAC as a secret, and a secret inside an HMAC: nothing of either stays.
    for secret in (A.encode(), A[:20].encode(), A[40:].encode()):
        assert lines(f"hmac={A}", secrets=(secret,)) != []
        assert secret.decode() not in mask(f"hmac={A}", secrets=[secret])


def test_a_secret_that_is_part_of_the_mask_ends() -> None:
    assert "[MASKED]" in mask("a MASKED b", secrets=[b"MASKED"])


def test_utf_16_logs() -> None:
    (finding,) = find_unmasked(f"x\r\nhmac={A}".encode("utf-16"), file="build.log")
    assert finding.where.line == 2


def test_findings_are_bounded() -> None:
    findings = find_unmasked(f"hmac={A}\n".encode() * 50, file="build.log", most=10)
    assert len(findings) == 11
    assert findings[-1].message.startswith("40 more")


@pytest.mark.parametrize(
    "piece", ["a", " ", '"', "hmac", "-", "\\", f"hmac {A},", "0x", f" {A}", f"{A} hmac "]
)
def test_long_lines_take_linear_time(piece: str) -> None:
    # Quadratic work on a line of a megabyte would not come to an end here.
    text = (piece * 1_000_000)[:1_000_000]
    assert (lines(text) == []) == (A not in piece or piece == f" {A}")


WORDS = st.sampled_from(
    [
        *("hmac", "sha256", "checksum", "sig", "signature", "x", "é", "[MASKED]"),
        *("=", ": ", '"', "\n", " ", ", ", "("),
        *(A, B, A.upper(), A[:16] + "..."),
        *(SECRET.decode(), "beamline-secret-key-v1"),
    ]
)


@settings(deadline=None, max_examples=400)
@given(st.lists(WORDS, max_size=14).map("".join))
def test_masking_leaves_nothing_and_is_stable(text: str) -> None:
    masked = mask(text, secrets=[SECRET])
    assert find_unmasked(masked.encode(), file="build.log", secrets=[SECRET]) == ()
    assert mask(masked, secrets=[SECRET]) == masked
    if find_unmasked(text.encode(), file="build.log", secrets=[SECRET]) == ():
        assert masked == text


@given(st.text(), st.binary())
def test_any_input_is_taken(text: str, data: bytes) -> None:
    assert mask(text) == text or "[MASKED]" in mask(text)
    find_unmasked(data, file="history.json", secrets=[data[:9]])
