"""The v1 history chain: read it, judge it, explain it."""

from .entry import COVERED, MEMBERS, REQUIRED, Entry, covered_bytes, mask_hmac
from .explain import Covered, Explanation, explain_entry
from .filters import EVERY_ENTRY, EntryFilter, Match, filter_text, parse_filter, parse_moment, quick_no
from .index import HistoryIndex, parse_entry
from .keys import PUBLIC_SECRETS, Key, Keyring, parse_keyring
from .layout import REFERENCE, Layout, detect_layout, format_history
from .limits import Limits
from .progress import Progress, VerificationCancelled
from .recall import BlockCache
from .report import Answer, Answers, ChainContext, ChainReport, Head, KeyUse, letter_meaning
from .signing import sign_entry
from .source import BytesSource, FileSource, Source, open_source
from .verify import Verification, scan_history, verify_history

__all__ = [
    "COVERED",
    "EVERY_ENTRY",
    "MEMBERS",
    "PUBLIC_SECRETS",
    "REFERENCE",
    "REQUIRED",
    "Answer",
    "Answers",
    "BlockCache",
    "BytesSource",
    "ChainContext",
    "ChainReport",
    "Covered",
    "Entry",
    "EntryFilter",
    "Explanation",
    "FileSource",
    "Head",
    "HistoryIndex",
    "Key",
    "KeyUse",
    "Keyring",
    "Layout",
    "Limits",
    "Match",
    "Progress",
    "Source",
    "Verification",
    "VerificationCancelled",
    "covered_bytes",
    "detect_layout",
    "explain_entry",
    "filter_text",
    "format_history",
    "letter_meaning",
    "mask_hmac",
    "open_source",
    "parse_entry",
    "parse_filter",
    "parse_keyring",
    "parse_moment",
    "quick_no",
    "scan_history",
    "sign_entry",
    "verify_history",
]
