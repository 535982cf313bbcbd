"""The files of the demo project that its state lists: small, readable, and the same for every seed."""

from __future__ import annotations

from typing import Final

__all__ = ["ARTIFACTS"]

_README = """\
# harbour-ledger (a DevState demo)

A made-up project whose state and history you can look at, and break.

    devstate                 # the inspector
    devstate verify          # the chain: .trae/history.json
    devstate validate        # everything: state, schemas, listed files, chain

The history is signed with a secret that everybody knows, so that it verifies without any set-up. DevState
warns of that (WEAK_KEY): in a real project, use a secret of your own.

Try it: change one letter of an `action` in `.trae/history.json` and verify again.
"""

_ARCHITECTURE = """\
# Architecture

Messages come in through the gateway, the router delivers each of them once, workers post them to the ledger.

    gateway -> router -> worker -> ledger

A posting has two sides and a key. Posting the same key again changes nothing.
"""

_ADR_1 = """\
# 1. Messages of one account stay in order

Status: accepted

Two postings to one account must not overtake each other. The router keeps one lane an account.
"""

_ADR_2 = """\
# 2. Postings are idempotent

Status: accepted

A worker may die between the posting and its acknowledgement. The ledger therefore keeps the keys it has seen.
"""

_PROTO = """\
syntax = "proto3";

package ledger.v1;

message Posting {
  string key = 1;
  string debit_account = 2;
  string credit_account = 3;
  int64 amount_minor = 4;  // in the smallest unit of the currency
  string currency = 5;     // ISO 4217
}
"""

_DELIVERY = '''\
"""Deliver a message once, also after a restart."""


def deliver(message, seen, send):
    if message.key in seen:
        return False
    send(message)
    seen.add(message.key)
    return True
'''

_RETRY = '''\
"""How long to wait before the next attempt."""


def backoff_ms(attempt, first=50, most=10_000):
    return min(first * 2**attempt, most)
'''

_ACKNOWLEDGE = '''\
"""Acknowledge a job when its posting is durable, not before."""


def finish(job, ledger, broker):
    ledger.post(job.posting)
    broker.acknowledge(job.id)
'''

_QUEUE = '''\
"""A bounded queue: what does not fit is refused, never dropped in silence."""

from collections import deque


class Full(Exception):
    pass


class Queue:
    def __init__(self, room):
        self._items = deque()
        self._room = room

    def put(self, item):
        if len(self._items) == self._room:
            raise Full
        self._items.append(item)
'''

_RATE_LIMIT = '''\
"""A token bucket for each client."""


def allow(bucket, now):
    bucket.tokens = min(bucket.burst, bucket.tokens + (now - bucket.last) * bucket.per_second)
    bucket.last = now
    if bucket.tokens < 1:
        return False
    bucket.tokens -= 1
    return True
'''

_POSTING = '''\
"""A posting has two sides; their sum is zero."""


def sides(posting):
    yield posting.debit_account, -posting.amount_minor
    yield posting.credit_account, posting.amount_minor
'''

_BALANCE = '''\
"""The balance of an account is the sum of its sides, nothing else."""

from .posting import sides


def balance(account, postings):
    return sum(amount for posting in postings for name, amount in sides(posting) if name == account)
'''

_GATEWAY_CONFIG = """\
[limits]
burst = 40
per_second = 20

[retry]
max_attempts = 5
backoff_ms = 50
"""

_ALERTS_CONFIG = """\
[alerts]
window_s = 300
queue_depth = 1000
"""

_MESSAGES = """\
{
  "posted": {"en": "Posted", "de": "Gebucht", "el": "Καταχωρήθηκε", "ja": "記帳済み", "ar": "تم الترحيل"},
  "refused": {"en": "Refused", "de": "Abgelehnt", "el": "Απορρίφθηκε", "ja": "拒否", "ar": "مرفوض"}
}
"""

ARTIFACTS: Final[dict[str, str]] = {
    "README.md": _README,
    "docs/architecture.md": _ARCHITECTURE,
    "docs/adr/0001-message-order.md": _ADR_1,
    "docs/adr/0002-idempotent-postings.md": _ADR_2,
    "proto/ledger/v1/posting.proto": _PROTO,
    "src/router/delivery.py": _DELIVERY,
    "src/router/retry.py": _RETRY,
    "src/worker/acknowledge.py": _ACKNOWLEDGE,
    "src/worker/queue.py": _QUEUE,
    "src/gateway/rate_limit.py": _RATE_LIMIT,
    "src/ledger/posting.py": _POSTING,
    "src/ledger/balance.py": _BALANCE,
    "config/gateway.toml": _GATEWAY_CONFIG,
    "config/alerts.toml": _ALERTS_CONFIG,
    "i18n/messages.json": _MESSAGES,
}
