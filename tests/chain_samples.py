"""Small v1 chains for the tests of `devstate.chain`: honest ones, and every way to have them read and judged."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devstate.chain import BytesSource, ChainContext, ChainReport, Keyring, Limits, verify_history
from devstate.chain.framing import frame
from devstate.chain.judging import Judge
from devstate.chain.listing import Block, Piece, Single
from devstate.chain.segment import Segment
from devstate.findings import Finding

SECRET = b"the secret of a chain in a test"
RING = Keyring.of(SECRET)
ZEROS = "0" * 64
ACTORS = ("AGENT_1", "AGENT_2", "AGENT_3")

# Nothing of a canonical file passes the fast path under these limits: they are for comparing the two ways.
STRICT_ONLY = Limits(depth=7)

ATTACKS = Path(__file__).parent / "chain" / "attacks"

Members = dict[str, Any]

_START = datetime(2025, 1, 1, tzinfo=UTC)


def mac(members: Members, secret: bytes = SECRET) -> str:
    """The v1 HMAC, taken in the plainest way."""
    names = ("ts", "actor", "action", "state_checksum", "hmac_prev")
    message = "".join(members[name] for name in names)
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def timestamp(index: int) -> str:
    return (_START + timedelta(minutes=7 * index)).isoformat().replace("+00:00", "Z")


def chain(count: int, *, secret: bytes = SECRET) -> list[Members]:
    """An honest chain in which each entry names a state of its own."""
    entries: list[Members] = []
    for index in range(count):
        entries.append(
            {
                "ts": timestamp(index),
                "actor": ACTORS[index % 3],
                "action": f"step_{index}",
                "cp_from": None if index == 0 else "CP1-LC",
                "cp_to": "CP1-LC",
                "state_checksum": hashlib.sha256(b"state %d" % index).hexdigest(),
                "hmac_prev": "",
                "hmac": "",
                "metadata": {"note": f"nöte {index}", "list": [index, {"deep": None}]},
            }
        )
    return signed(entries, secret=secret)


def signed(entries: list[Members], start: int = 0, *, secret: bytes = SECRET) -> list[Members]:
    """The same entries, linked and signed from `start` on."""
    result = entries[:start]
    for members in entries[start:]:
        fresh = members | {"hmac_prev": result[-1]["hmac"] if result else ""}
        result.append(fresh | {"hmac": mac(fresh, secret)})
    return result


def changed(entries: list[Members], index: int, **members: Any) -> list[Members]:
    """The entries with members of one of them replaced and nothing signed again."""
    return [*entries[:index], entries[index] | members, *entries[index + 1 :]]


def dump(entries: object, indent: int | None = 4) -> bytes:
    """JSON as Python writes it; indent 4 is the reference serialisation."""
    return json.dumps(entries, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")


def verified(
    data: bytes,
    keyring: Keyring | None = RING,
    *,
    context: ChainContext | None = None,
    limits: Limits | None = None,
    jobs: int = 1,
) -> ChainReport:
    return verify_history(data, keyring=keyring, context=context, limits=limits, jobs=jobs)


def pieces_of(data: bytes, limits: Limits | None = None) -> list[Piece]:
    return list(frame(BytesSource(data), limits or Limits(), []))


def judged(
    pieces: Iterable[Piece],
    keyring: Keyring | None = RING,
    *,
    begins_file: bool = True,
    context: ChainContext | None = None,
    limits: Limits | None = None,
    latest: str | None = None,
) -> Segment:
    """The segment of some neighbouring pieces."""
    judge = Judge(
        keyring, context or ChainContext(), limits or Limits(), latest=latest, begins_file=begins_file
    )
    for piece in pieces:
        if isinstance(piece, Block):
            judge.add_block(piece)
        elif isinstance(piece, Single):
            judge.add_single(piece)
        else:
            judge.add_fault(piece)
    return judge.segment()


def codes(report: ChainReport, severity: str = "error") -> set[str]:
    return {one.code for one in report.findings if one.severity == severity}


def only(report: ChainReport, code: str) -> Finding:
    """The one finding with a code."""
    found = [one for one in report.findings if one.code == code]
    assert len(found) == 1, [one.code for one in report.findings]
    return found[0]


def same(one: ChainReport, two: ChainReport) -> None:
    """Two reports are equal to the last field; the difference is named."""
    for name in ChainReport.__struct_fields__:
        assert getattr(one, name) == getattr(two, name), name


@functools.cache
def corpus() -> dict[str, bytes]:
    """The history files of the attack corpus and of its near-misses, by name."""
    sys.path.insert(0, str(ATTACKS))
    try:
        from generate import corpus as generated

        cases = generated().cases
    finally:
        sys.path.remove(str(ATTACKS))
    files = {slug: case.files.get(".trae/history.json", b"") for slug, case in cases.items()}
    near = {f"near {slug}": case.near.get(".trae/history.json", b"") for slug, case in cases.items()}
    return {name: data for name, data in {**files, **near}.items() if data}
