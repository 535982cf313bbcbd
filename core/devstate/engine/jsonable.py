"""Values as JSON: what JSON has no form for gets one that is marked, and can be told from all other data.

bytes become `{"$bytes": base64}`, NaN and infinities `{"$float": "nan"}`, `"inf"`, `"-inf"`; an object that
happens to look like one of these, or like this, becomes `{"$object": {...}}`.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

__all__ = ["jsonable"]

_MARKS = ("$bytes", "$float", "$object")


def jsonable(value: Any) -> Any:
    """A new value of dicts, lists, texts, numbers, booleans and None. Tuples become lists, structs objects."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": b64encode(value).decode("ascii")}
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        made = {str(key): jsonable(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return {"$object": made} if len(made) == 1 and next(iter(made)) in _MARKS else made
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, msgspec.msgpack.Ext):
        return {"$bytes": b64encode(value.data).decode("ascii")}
    return str(value)
