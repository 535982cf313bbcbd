"""How long to wait before a transaction is tried again."""

from __future__ import annotations

import random
import time

__all__ = ["pause_before_retry"]


def pause_before_retry(attempt: int) -> None:
    """Sleep a random while, longer with each attempt: competitors that wait equally long meet again."""
    time.sleep(random.uniform(0, min(0.0001 * 2**attempt, 0.02)))
