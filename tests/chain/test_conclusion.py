"""The report: answers, findings in order and at their place, and what a set of faults means together."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from chain_samples import RING, SECRET, ZEROS, chain, changed, codes, dump, only, signed, verified
from devstate.chain import ChainContext, ChainReport, Keyring, Layout, Limits, format_history, letter_meaning
from devstate.findings import exit_code

HONEST = chain(12)
OTHER = Keyring.of(b"a key that signed none of them")
STATE = b'{"project": "x"}\n'


def test_an_honest_file() -> None:
    data = dump(HONEST)
    report = verified(data)
    assert report.ok
    assert exit_code(report.findings) == 0
    assert (report.entries, report.verified, report.first_bad) == (12, 12, None)
    assert (report.size, report.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (report.form, report.style, report.file) == ("array", "indent 4", ".trae/history.json")
    assert report.letters == b"G" * 12
    assert codes(report) == codes(report, "warning") == set()
    assert codes(report, "info") == {"UNCOVERED_FIELD", "COMPLETENESS_UNPROVEN", "NOT_PROVABLE"}
    last = HONEST[-1]
    assert report.head is not None
    assert (report.head.index, report.head.hmac, report.head.action) == (11, last["hmac"], last["action"])
    assert [(use.kid, use.first, use.last, use.weak) for use in report.keys] == [("default", 0, 11, False)]


# -- the four answers -------------------------------------------------------------------------------


def answers(report: ChainReport) -> tuple[str, str, str, str]:
    given = report.answers
    return (given.integrity.status, given.authenticity.status, given.completeness.status, given.time.status)


ANSWERS: dict[str, tuple[Any, Keyring | None, tuple[str, str, str, str]]] = {
    "honest": (HONEST, RING, ("yes", "yes", "unknown", "unknown")),
    "no key": (HONEST, None, ("unknown", "unknown", "unknown", "unknown")),
    "wrong key": (HONEST, OTHER, ("unknown", "unknown", "unknown", "unknown")),
    "public key": (
        chain(3, secret=b"beamline-secret-key-v1"),
        Keyring.public_default(),
        ("yes", "no", "unknown", "unknown"),
    ),
    "short key": (chain(3, secret=b"short"), Keyring.of(b"short"), ("yes", "no", "unknown", "unknown")),
    "tampered": (changed(HONEST, 4, actor="EVIL"), RING, ("no", "yes", "unknown", "unknown")),
    "tampered, no key": ([*HONEST[:4], *HONEST[5:]], None, ("no", "unknown", "unknown", "unknown")),
    "head missing": (HONEST[2:], RING, ("no", "yes", "no", "unknown")),
    "time goes back": (
        signed(changed(HONEST, 4, ts="2024-01-01T00:00:00Z")),
        RING,
        ("yes", "yes", "unknown", "no"),
    ),
    "empty": ([], RING, ("unknown", "unknown", "unknown", "unknown")),
    "a number": (5, RING, ("no", "unknown", "unknown", "unknown")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_four_answers(name: str) -> None:
    document, keyring, expected = ANSWERS[name]
    report = verified(dump(document), keyring)
    assert answers(report) == expected
    for answer in (report.answers.integrity, report.answers.authenticity, report.answers.completeness):
        assert answer.sentence


def test_the_sentence_on_integrity_names_the_first_break() -> None:
    report = verified(dump(changed(changed(HONEST, 9, actor="EVIL"), 5, action="EVIL")))
    assert report.answers.integrity.sentence == "10 of 12 entries verify; first at entry 5"


def test_checks_run_and_not_run_are_told_apart() -> None:
    full = ChainContext(state_bytes=STATE, now="2030-01-01T00:00:00Z")
    for keyring in (RING, None):
        for context in (ChainContext(), full):
            report = verified(dump(HONEST), keyring, context=context)
            run, left = " ".join(report.checks_run), " ".join(report.checks_not_run)
            assert ("HMACs" in run, "HMACs" in left) == (keyring is not None, keyring is None)
            assert ("clock" in run, "clock" in left) == (context is full, context is not full)
            assert ("binding" in run, "binding" in left) == (context is full, context is not full)
    assert len(verified(b"[]").not_provable) >= 4


# -- what several faults mean together --------------------------------------------------------------


def test_a_wrong_key_is_not_tampering() -> None:
    report = verified(dump(HONEST), OTHER)
    assert codes(report) == {"WRONG_KEY"}
    assert exit_code(report.findings) == 3
    assert (report.verified, report.first_bad, report.letters) == (0, None, b"E" * 12)


@pytest.mark.parametrize(
    "entries",
    [
        HONEST[:1],  # one entry says nothing about the key
        [*HONEST[:4], *HONEST[5:]],  # a link is broken too
        changed(HONEST, 3, hmac="A" * 64),  # a format is wrong too
        HONEST[1:],  # the head is missing
        [*HONEST, 5],
    ],
)
def test_faults_beside_the_macs_are_tampering_whatever_the_key(entries: list[Any]) -> None:
    report = verified(dump(entries), OTHER)
    assert "HMAC_MISMATCH" in codes(report)
    assert "WRONG_KEY" not in codes(report)
    assert exit_code(report.findings) == 1


def test_one_good_entry_proves_the_key() -> None:
    entries = [
        members if number == 5 else members | {"actor": "EVIL"} for number, members in enumerate(HONEST)
    ]
    report = verified(dump(entries))
    assert codes(report) == {"HMAC_MISMATCH"}
    assert (report.verified, report.first_bad) == (1, 0)
    assert report.letters == b"BBBBBGBBBBBB"


def test_an_entry_counts_as_verified_only_where_nothing_is_wrong_with_it() -> None:
    entries = [*HONEST[:4], *HONEST[6:]]  # the MAC of entry 4 is right, its link is not
    report = verified(dump(entries))
    assert codes(report) == {"CHAIN_LINK_BROKEN"}
    assert (report.verified, report.letters) == (9, b"GGGGBGGGGG")
    upper = verified(dump(changed(HONEST, 11, hmac=HONEST[11]["hmac"].upper())))
    assert (codes(upper), upper.verified) == ({"FIELD_FORMAT"}, 11)
    assert "uppercase" in only(upper, "FIELD_FORMAT").message


@pytest.mark.parametrize(
    ("link", "code"), [("x", "GENESIS_LINK"), (ZEROS, "HEAD_MISSING"), (ZEROS[1:], "GENESIS_LINK")]
)
def test_the_link_of_the_first_entry(link: str, code: str) -> None:
    entries = changed(HONEST, 0, hmac_prev=link)
    report = verified(dump(entries))
    assert codes(report) == {code, "HMAC_MISMATCH"}
    assert report.first_bad == 0


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([*HONEST[:4], *HONEST[5:]], "No entry of this file has the HMAC"),
        ([*HONEST[:6], HONEST[2], *HONEST[6:]], "copy of entry 2"),
        ([*HONEST[:4], HONEST[5], HONEST[4], *HONEST[6:]], "now stands after it, at 5"),
    ],
)
def test_what_the_rest_of_the_file_says_of_a_broken_link(entries: list[Any], words: str) -> None:
    report = verified(dump(entries))
    messages = [finding.message for finding in report.findings if finding.code == "CHAIN_LINK_BROKEN"]
    assert words in messages[0]
    assert ("DUPLICATE_ENTRY" in codes(report)) == ("copy" in words)


@pytest.mark.parametrize(
    ("count", "state", "expected"),
    [
        (12, b"state 11", None),
        (12, b"state 4", "the last entry that names it is 4"),
        (12, b"never named", "no entry names it"),
        (1, b"never named", "no entry names it"),
    ],
)
def test_the_state_and_the_entries(count: int, state: bytes, expected: str | None) -> None:
    report = verified(dump(HONEST[:count]), context=ChainContext(state_bytes=state))
    assert report.ok
    found = [finding for finding in report.findings if finding.code == "STATE_UNBOUND"]
    assert len(found) == (expected is not None)
    if expected is not None:
        assert expected in found[0].message
        assert found[0].expected == hashlib.sha256(state).hexdigest()
    assert report.bound_entry == {b"state 11": 11, b"state 4": 4}.get(state)
    assert not report.one_checksum or count == 1


def test_entries_that_all_name_one_other_state() -> None:
    entries = signed([members | {"state_checksum": ZEROS} for members in HONEST])
    report = verified(dump(entries), context=ChainContext(state_bytes=STATE))
    assert report.one_checksum
    assert "no state was ever bound" in only(report, "STATE_UNBOUND").message


def test_an_empty_history_beside_a_state() -> None:
    assert codes(verified(b"[]", context=ChainContext(state_bytes=STATE))) == {"EMPTY_HISTORY"}
    assert codes(verified(b"[]")) == set()
    assert codes(verified(b'{"entries": []}', context=ChainContext(state_bytes=STATE))) == {"EMPTY_HISTORY"}


@pytest.mark.parametrize(
    ("context", "severity", "status"),
    [
        (ChainContext(), "warning", 0),
        (ChainContext(protected=True), "error", 3),
        (ChainContext(protected=True, allow_public_key=True), "warning", 0),
    ],
)
@pytest.mark.parametrize("secret", [b"beamline-secret-key-v1", b"fifteen bytes.."])
def test_a_weak_key(secret: bytes, context: ChainContext, severity: str, status: int) -> None:
    report = verified(dump(chain(3, secret=secret)), Keyring.of(secret), context=context)
    assert only(report, "WEAK_KEY").severity == severity
    assert exit_code(report.findings) == status
    assert report.letters == b"UUU"
    assert report.verified == 3
    assert secret.decode() not in repr(report)


def test_no_key() -> None:
    report = verified(dump(HONEST), None)
    assert codes(report) == {"KEY_MISSING"}
    assert exit_code(report.findings) == 3
    assert report.letters == b"E" * 12


@pytest.mark.parametrize(
    ("agents", "actor", "action", "named"),
    [
        (set(), "AGENT_", "1step", "AGENT_1"),  # the other entries know AGENT_1
        ({"CODER"}, "CODE", "Rstep", "CODER"),
        ({"CODER"}, "CODERs", "tep", "CODER"),
        (set(), "", "AGENT_1step", "AGENT_1"),
        (set(), "SOMEBODY", "step", None),
        ({"AGENT_", "AGENT_1"}, "AGENT_", "1step", None),  # known itself
    ],
)
def test_characters_moved_between_actor_and_action(
    agents: set[str], actor: str, action: str, named: str | None
) -> None:
    entries = signed(changed(HONEST, 5, actor=actor, action=action))
    report = verified(dump(entries), context=ChainContext(agents=frozenset(agents)))
    assert report.ok
    assert codes(report, "warning") == ({"FIELD_BOUNDARY_AMBIGUOUS"} if named else set())
    if named:
        found = only(report, "FIELD_BOUNDARY_AMBIGUOUS")
        assert (found.where.entry, found.expected, found.actual) == (5, named, actor)
        assert found.where.offset is not None
        assert dump(entries)[found.where.offset :].startswith(b'"actor": "%b"' % actor.encode())


def test_times_against_the_clock() -> None:
    entries = signed(changed(HONEST, 11, ts="2025-06-01T12:00:00Z"))
    for now, late in (
        ("2025-06-01T11:54:59Z", True),
        ("2025-06-01T11:55:00Z", False),  # clocks differ by five minutes at most
        ("2025-06-01T13:55:00+02:00", False),
        ("2025-06-01T13:54:59+02:00", True),
    ):
        report = verified(dump(entries), context=ChainContext(now=now))
        assert codes(report, "warning") == ({"FUTURE_TIME"} if late else set()), now


# -- the findings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [Layout("array", 4), Layout("entries", 4), Layout("array", 2)])
def test_findings_point_at_the_member(layout: Layout) -> None:
    entries = changed(HONEST, 3, hmac_prev=ZEROS)
    entries = changed(entries, 7, ts="soon")
    data = format_history(entries, layout)
    report = verified(data)
    prefix = "/entries" if layout.form == "entries" else ""
    for code, pointer, text in (
        ("CHAIN_LINK_BROKEN", f"{prefix}/3/hmac_prev", '"hmac_prev": "000'),
        ("FIELD_FORMAT", f"{prefix}/7/ts", '"ts": "soon"'),
    ):
        where = only(report, code).where
        assert where.pointer == pointer
        assert where.offset is not None
        assert where.line is not None
        assert data[where.offset :].startswith(text.encode())
        assert text in data.decode().split("\n")[where.line - 1]


def test_a_finding_of_a_damaged_entry_points_into_it() -> None:
    data = dump(HONEST).replace(b'"step_4",', b'"step_4,')
    where = only(verified(data), "TORN_FILE").where
    assert where.entry == 4
    assert (where.pointer or "").startswith("/4")
    assert where.line is not None
    assert where.line >= data[: data.index(b'"step_4')].count(b"\n")


def test_hmacs_in_findings_are_masked() -> None:
    entries = changed(changed(HONEST, 3, hmac_prev=HONEST[6]["hmac"]), 9, actor="EVIL")
    report = verified(dump(entries))
    stored = {members[name] for members in HONEST for name in ("hmac", "hmac_prev") if members[name]}
    for finding in report.findings:
        text = repr(finding)
        assert not any(value in text for value in stored), finding
        assert all(
            len(one) == 19 for one in (finding.expected, finding.actual) if one and one.endswith("...")
        )
    assert SECRET.decode() not in repr(report)


def test_findings_stand_in_the_order_of_the_file() -> None:
    entries = changed(HONEST, 8, actor="EVIL")
    entries = changed(entries, 2, action="EVIL")
    entries = changed(entries, 5, ts="2024-01-01T00:00:00Z")
    found = verified(dump(entries)).findings
    ranks = [["error", "warning", "info"].index(finding.severity) for finding in found]
    assert ranks == sorted(ranks)
    errors = [finding for finding in found if finding.severity == "error"]
    assert [finding.where.entry for finding in errors] == [2, 5, 8]
    assert found == verified(dump(entries)).findings


def test_every_finding_has_words_and_a_remedy() -> None:
    entries: list[Any] = [members | {"actor": None, "ts": "x", "hmac_prev": "y"} for members in HONEST]
    report = verified(dump([*entries, 5, {}]) + b"x", context=ChainContext(state_bytes=STATE))
    assert len(report.findings) > 40
    for finding in report.findings:
        assert finding.message.endswith((".", ").", "'."))
        assert finding.remedy or finding.severity == "info"


@pytest.mark.parametrize("cap", [1, 5, 11, 12, 13])
def test_findings_of_one_code_are_capped(cap: int) -> None:
    entries = [members | {"hmac": members["hmac"].upper()} for members in HONEST]
    report = verified(dump(entries), limits=Limits(findings_per_code=cap))
    found = [finding for finding in report.findings if finding.code == "FIELD_FORMAT"]
    listed = [finding for finding in found if finding.where.entry is not None]
    assert len(listed) == min(cap, 12)
    assert [finding for finding in found if finding.where.entry is None] == found[len(listed) :]
    assert report.verified == 0
    assert report.letters == b"B" * 12


def test_the_rest_is_counted() -> None:
    entries = [HONEST[0], *(members | {"actor": "EVIL"} for members in HONEST[1:])]
    report = verified(dump(entries), limits=Limits(findings_per_code=4))
    found = [finding for finding in report.findings if finding.code == "HMAC_MISMATCH"]
    assert [finding.where.entry for finding in found] == [1, 2, 3, 4, None]
    assert found[-1].message.startswith("7 more entries")
    assert "limits.findings_per_code" in found[-1].message
    assert (report.verified, report.first_bad) == (1, 1)
    exact = verified(dump(entries), limits=Limits(findings_per_code=11))
    assert len([finding for finding in exact.findings if finding.code == "HMAC_MISMATCH"]) == 11


def test_uncovered_members_are_named_once_in_the_reference_order() -> None:
    plain = [
        {name: value for name, value in members.items() if name not in ("cp_from", "metadata")}
        for members in HONEST
    ]
    entries = [*plain[:3], plain[3] | {"zeta": 1, "alpha": 2, "metadata": {}}, *HONEST[4:]]
    message = only(verified(dump(entries)), "UNCOVERED_FIELD").message
    assert message.endswith(": cp_from, cp_to, metadata, zeta, alpha.")


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (dump(HONEST, 2), 0),
        (dump(HONEST) + b"\n", len(dump(HONEST))),
        (dump(HONEST).replace(b'"step_0"', b'"step\\u005f0"'), 6),
        (dump({"entries": HONEST}), 0),
    ],
)
def test_the_first_place_off_the_reference(data: bytes, place: int) -> None:
    report = verified(data)
    assert report.ok
    assert only(report, "FORMAT_NONCANONICAL").where.offset == place


def test_every_letter_has_a_meaning() -> None:
    for letter in "GBUYRE":
        assert letter_meaning(letter)
    with pytest.raises(KeyError):
        letter_meaning("x")
