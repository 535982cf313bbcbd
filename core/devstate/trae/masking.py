"""Whole HMACs and secrets where they do not belong: finding them, and masking them.

The documents hold HMACs whole in their own members; everywhere else an HMAC is shown by its first 16 digits.
A value of 64 hexadecimal digits counts as an HMAC by the word before it (hmac, signature, seal, mac); after
checksum, sha256, hash or digest it is a checksum, which may be shown.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from devstate.chain.keys import PUBLIC_SECRETS
from devstate.findings import CODES, Finding, Severity, Where

__all__ = ["find_unmasked", "mask"]

_MOST = 1000
_WINDOW = 512  # bytes before a value that are looked at for a word

_HEX = re.compile(rb"(?<![0-9A-Za-z])(?:0[xX])?([0-9A-Fa-f]{64})(?![0-9A-Za-z])")
_SECRET_WORD = re.compile(rb"hmac|signature|seal|(?<![a-z])(?:sig|mac)(?![a-z])", re.IGNORECASE)
_OPEN_WORD = re.compile(rb"checksum|sha-?256|digest|hash", re.IGNORECASE)
_EITHER_WORD = re.compile(rb"(?P<secret>" + _SECRET_WORD.pattern + rb")|" + _OPEN_WORD.pattern, re.IGNORECASE)
# The name right before the value, with what joins the two; matched on the reversed bytes, in linear time.
_LABEL_REVERSED = re.compile(rb"([\s\"'=:>(\[{,]*)([\w.-]+)")
# "HMAC digest: ", "Signature: sha256=": still the HMAC, though the nearest word is that of a checksum.
_HMAC_DIGEST = re.compile(
    rb"(?:hmac|signature|seal)(?:-256)?(?:[\s_-]|[\"']?\s?[:=]\s?[\"']?)?(?:digest|hash|sha-?256)[\s\"'=:>(]*\Z",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rb"[\s\"')\]]{0,3}\(?[\s=]{0,2}(?:is the )?(?:hmac|signature|seal)(?![/.\w-])", re.IGNORECASE
)
_LISTED = re.compile(rb"[\s\"',;|\[\]/-]{1,12}")
# Members that hold an HMAC, a seal or a checksum in state.json, history.json and their copies.
_OWN_MEMBER = re.compile(rb'"(?:hmac|hmac_prev|mac|prev_hmac|md|root|hash|state_checksum)"\s*:\s*"\Z')
_DOCUMENT = re.compile(r"(?:.*[._-])?(?:state|history)(?:[._-].*)?\.json", re.IGNORECASE)
_SHOWN = 16
_MASKED = b"[MASKED]"
_PUBLIC = tuple(secret.encode() for secret in PUBLIC_SECRETS)


class _Place(NamedTuple):
    start: int
    end: int
    what: str
    shown: bytes


def find_unmasked(
    data: bytes, *, file: str, secrets: Iterable[bytes] = (), most: int = _MOST
) -> tuple[Finding, ...]:
    """UNMASKED_SECRET for each whole HMAC and each secret in a document or log, with line and byte offset.

    `secrets` are the configured ones, found wherever they stand; the public ones of the format count only as
    values, since documents name them. A file that is named and looks like a state or history document may
    hold HMACs in the members that are made for them. At most `most` findings; the last one says how many
    more there are. No finding holds what it found.
    """
    text = _as_utf8(data)
    findings: list[Finding] = []
    line, at, more = 1, 0, 0
    for place in _places(text, _is_document(file, text), tuple(secrets)):
        if len(findings) >= most:
            more += 1
            continue
        line += text.count(b"\n", at, place.start)
        at = place.start
        findings.append(
            _finding(
                f"{place.what} stands whole in line {line}",
                Where(file, line=line, offset=place.start if text is data else None),
                place.shown.decode(),
            )
        )
    if more:
        findings.append(_finding(f"{more} more places hold a whole HMAC or a secret", Where(file), None))
    return tuple(findings)


def mask(text: str, *, secrets: Iterable[bytes] = ()) -> str:
    """The text with each HMAC cut to its first 16 digits and `...`, and each secret as `[MASKED]`.

    What this gives holds nothing that `find_unmasked` would report, and is left as it is by a second call.
    """
    data = text.encode("utf-8", "surrogatepass")
    known = tuple(secrets)
    # Masking one thing can uncover another beside it; a secret that is part of "[MASKED]" would never end.
    for _ in range(4):
        out: list[bytes] = []
        at = 0
        for place in _places(data, False, known):
            out += (data[at : place.start], place.shown)
            at = place.end
        if not at:
            break
        data = b"".join((*out, data[at:]))
    return data.decode("utf-8", "surrogatepass")


def _finding(message: str, where: Where, actual: str | None) -> Finding:
    code = CODES["UNMASKED_SECRET"]
    expected = "masked: the first 16 digits and ..., or [MASKED]"
    return Finding("UNMASKED_SECRET", Severity.ERROR, message, where, expected, actual, code.remedy)


def _places(data: bytes, document: bool, secrets: tuple[bytes, ...]) -> Iterator[_Place]:
    """What has to be masked, in order and without overlap."""
    found = [
        *_hmacs(data, document),
        *_public(data),
        *(place for secret in secrets for place in _configured(data, secret)),
    ]
    end = 0
    # Of two that overlap the longer one from the left counts, and a secret before an HMAC.
    for place in sorted(found, key=lambda place: (place.start, place.shown != _MASKED, -place.end)):
        if place.start >= end:
            yield place
            end = place.end
        elif place.end > end:
            # The tail of an overlapping one must not stay in the open.
            yield place._replace(start=end, shown=_MASKED)
            end = place.end


def _hmacs(data: bytes, document: bool) -> Iterator[_Place]:
    last_end, last_verdict = -1, False
    for match in _HEX.finditer(data):
        start, end = match.span(1)
        before = data[max(0, start - _WINDOW) : start]
        if last_end >= 0 and start - last_end <= 12 and _LISTED.fullmatch(data, last_end, start):
            verdict = last_verdict  # one more of a list
        else:
            verdict = _is_hmac(before, data[end : end + 24])
        last_end, last_verdict = end, verdict
        if verdict and not (document and _OWN_MEMBER.search(before[-64:])):
            yield _Place(start, end, "an HMAC", match.group(1)[:_SHOWN] + b"...")


def _is_hmac(before: bytes, after: bytes) -> bool:
    label = _LABEL_REVERSED.match(before[::-1])
    # The name may stand on the line above only where something joins it to the value.
    if label is not None and (b"\n" not in label[1] or any(mark in label[1] for mark in b":=[(")):
        name = label[2][::-1]
        if _SECRET_WORD.search(name):
            return True
        if _OPEN_WORD.search(name):
            return _HMAC_DIGEST.search(before[-64:]) is not None
    kind = None
    for match in _EITHER_WORD.finditer(before.rsplit(b"\n", 1)[-1]):
        kind = match.lastgroup or "open"
    if kind is not None:
        return kind == "secret"
    return _AFTER.match(after) is not None


def _public(data: bytes) -> Iterator[_Place]:
    for secret in _PUBLIC:
        # Only as a value (quoted, or after = or :), since documents name these secrets in prose.
        pattern = rb"(?<=[=:\"'])[ \t]*(" + re.escape(secret) + rb")(?![\w-])"
        for match in re.finditer(pattern, data):
            yield _Place(*match.span(1), "a public default secret", _MASKED)


def _configured(data: bytes, secret: bytes) -> Iterator[_Place]:
    if not secret or secret in _PUBLIC:  # a public one is no secret in prose, whoever configures it
        return
    for form in _forms(secret):
        # A short secret is a common word: it counts only as a whole word.
        edges = (rb"(?<!\w)", rb"(?!\w)") if len(secret) < 8 else (b"", b"")
        for match in re.finditer(edges[0] + re.escape(form) + edges[1], data):
            yield _Place(*match.span(), "a configured secret", _MASKED)


def _forms(secret: bytes) -> set[bytes]:
    """How a secret may be written: as it is, as JSON text, and where it is long enough in hex and base64."""
    forms = {secret}
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        pass
    else:
        import json

        forms |= {json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()}
    if len(secret) >= 8:
        forms |= {secret.hex().encode(), secret.hex().upper().encode(), b64encode(secret).rstrip(b"=")}
    return forms


def _is_document(file: str, data: bytes) -> bool:
    name = file.replace("\\", "/").rsplit("/", 1)[-1]
    return _DOCUMENT.fullmatch(name) is not None and data.lstrip()[:1] in (b"{", b"[")


def _as_utf8(data: bytes) -> bytes:
    """UTF-16 text (some systems write logs so) as UTF-8; anything else as it is."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").encode("utf-8", "surrogatepass")
    return data
