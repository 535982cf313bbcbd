"""Schemas of the simple kind turned into plain Python tests, some forty times as fast as a general validator.

A test says "yes" only where the schema accepts the value; "no" means "ask the general validator"
(`full_check`), which also says what is wrong. A property test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, cast

__all__ = ["Check", "compile_check", "ecma_pattern"]

Check = Callable[[Any], bool]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
    "integer": (int,),  # 1.0 counts as one too: left to the general validator
    "number": (int, float),
}
_DRAFTS = re.compile(
    r"https?://json-schema\.org/(?:draft-0[67]|draft/2019-09|draft/2020-12)/schema#?", re.ASCII
)
_EVERY_TYPE = frozenset(kind for kinds in _TYPES.values() for kind in kinds)
_TEXT_ONLY = frozenset(_TYPES["string"])
# They say nothing about a value (`format` is not asserted; definitions matter only with $ref).
_SAYS_NOTHING = frozenset(
    {
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
        "writeOnly",
        "deprecated",
        "format",
    }
)
_TOP_ONLY = frozenset({"$schema", "$id", "definitions", "$defs"})
_KNOWN = frozenset({"type", "required", "properties", "additionalProperties", "items", "pattern", "enum"})
_ABSENT = object()


class _NotSimple(Exception):
    pass


def compile_check(schema: Any) -> Check | None:
    """A test for the schema, or None where it uses what only a general validator knows, or is no schema.

    The test takes parsed JSON (exactly the types that a JSON parser gives).
    """
    try:
        return _compile(schema, top=True).check
    except (_NotSimple, re.error, RecursionError):
        return None


def ecma_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern with the meaning that JSON Schema gives it (ECMA 262): search, `$` only at the very end, and
    ASCII digits. In Python `$` also matches before a last line feed, and `\\d` any script's digits.

    Raises re.error where Python cannot read it.
    """
    out: list[str] = []
    inside = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            out.append(pattern[at : at + 2])
            at += 2
            continue
        if char == "[" and not inside:
            inside = True
        elif char == "]":
            inside = False
        out.append(r"\Z" if char == "$" and not inside else char)
        at += 1
    return re.compile("".join(out), re.ASCII)


class _Plan(NamedTuple):
    """A schema's test in two steps: the types it allows, and what more is asked of a value of those."""

    types: frozenset[type]
    rest: Callable[[Any], object] | None

    def check(self, value: Any) -> bool:
        return type(value) in self.types and (self.rest is None or bool(self.rest(value)))


def _compile(schema: Any, *, top: bool = False) -> _Plan:
    if schema is True:
        return _Plan(_EVERY_TYPE, None)
    if not isinstance(schema, dict):
        raise _NotSimple
    keywords = cast("dict[str, Any]", schema)
    if not keywords.keys() <= (_KNOWN | _SAYS_NOTHING | (_TOP_ONLY if top else frozenset())):
        raise _NotSimple
    if "$schema" in keywords:
        draft = keywords["$schema"]
        if not isinstance(draft, str) or _DRAFTS.fullmatch(draft) is None:
            raise _NotSimple
    types = _types(keywords)
    checks = [*_text_checks(keywords, types), *_array_checks(keywords), *_object_checks(keywords)]
    if not checks:
        return _Plan(types, None)
    if len(checks) == 1:
        return _Plan(types, checks[0])
    return _Plan(types, _all_of(tuple(checks)))


def _all_of(checks: tuple[Callable[[Any], object], ...]) -> Check:
    return lambda value: all(check(value) for check in checks)


def _types(keywords: dict[str, Any]) -> frozenset[type]:
    if "type" not in keywords:
        return _EVERY_TYPE
    names = keywords["type"]
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not names:
        raise _NotSimple
    found: set[type] = set()
    for name in cast("list[Any]", names):
        if not isinstance(name, str) or name not in _TYPES:
            raise _NotSimple
        found.update(_TYPES[name])
    return frozenset(found)


def _text_checks(keywords: dict[str, Any], types: frozenset[type]) -> list[Callable[[Any], object]]:
    checks: list[Callable[[Any], object]] = []
    if "pattern" in keywords:
        pattern = keywords["pattern"]
        if not isinstance(pattern, str):
            raise _NotSimple
        search = ecma_pattern(pattern).search
        if types == _TEXT_ONLY:
            checks.append(search)  # a match is true, None is not
        else:
            checks.append(lambda value: type(value) is not str or search(value))
    if "enum" in keywords:
        values = _texts(keywords["enum"])
        checks.append(lambda value: type(value) is str and value in values)
    return checks


def _array_checks(keywords: dict[str, Any]) -> list[Check]:
    if "items" not in keywords:
        return []
    item = _compile(keywords["items"]).check
    return [lambda value: type(value) is not list or all(map(item, cast("list[Any]", value)))]


def _object_checks(keywords: dict[str, Any]) -> list[Check]:
    required = _texts(keywords.get("required", []))
    properties = keywords.get("properties", {})
    if not isinstance(properties, dict):
        raise _NotSimple
    properties = cast("dict[str, Any]", properties)
    plans = {name: _compile(inner) for name, inner in properties.items()}
    members = tuple((name, plan.types, plan.rest, name in required) for name, plan in plans.items())
    others_needed = required - properties.keys()
    others = keywords.get("additionalProperties", True)
    if others not in (True, False, {}) or type(others) not in (bool, dict):
        raise _NotSimple
    allowed = frozenset(properties) if others is False else None
    if not required and not members and allowed is None:
        return []

    def check(value: Any) -> bool:
        if type(value) is not dict:
            return True
        given = cast("dict[str, Any]", value)
        get = given.get
        for name, types, rest, needed in members:
            member = get(name, _ABSENT)
            if type(member) in types:
                if rest is not None and not rest(member):
                    return False
            elif needed or member is not _ABSENT:
                return False
        return others_needed <= given.keys() and (allowed is None or given.keys() <= allowed)

    return [check]


def _texts(value: Any) -> frozenset[str]:
    if not isinstance(value, list):
        raise _NotSimple
    items = cast("list[Any]", value)
    if not all(isinstance(item, str) for item in items):
        raise _NotSimple
    return frozenset(items)
