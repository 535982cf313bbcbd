"""The characters that steer a screen or turn the order of reading: one set for all that look for them."""

from __future__ import annotations

import re

__all__ = ["CONTROL", "CONTROL_IN_PROSE", "STEERING_BEYOND_C0"]

# DEL and C1; the Arabic letter mark, the marks, embeddings, overrides and isolates of the bidirectional
# algorithm; the line and paragraph separators. To be used inside the brackets of a pattern.
STEERING_BEYOND_C0 = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"

CONTROL = re.compile(f"[\x00-\x1f{STEERING_BEYOND_C0}]")
"""Every control character, line feed and tab among them."""

CONTROL_IN_PROSE = re.compile(f"[\x00-\x08\x0b-\x1f{STEERING_BEYOND_C0}]")
"""The same for texts of several lines, in which line feed and tab are ordinary."""
