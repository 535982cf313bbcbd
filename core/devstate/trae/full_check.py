"""The general schema validator (the library jsonschema), imported only where a quick test does not do.

A workspace's schema is foreign text: nothing is fetched for it, and one that cannot be used is said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

from .quick_check import ecma_pattern

__all__ = ["Refusal", "SchemaUnusable", "load_schema"]


class Refusal(NamedTuple):
    """One thing that a schema refuses: where, which keyword of the schema, and both sides in words.

    For an absent member `path` leads to where it should be.
    """

    path: tuple[str | int, ...]
    keyword: str
    message: str
    expected: str
    actual: str


class SchemaUnusable(Exception):
    """The schema is no JSON Schema, or needs something that is not in the file; `path` is the place in it."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def load_schema(schema: Any) -> Callable[[Any], tuple[Refusal, ...]]:
    """What a schema refuses of a value, as a function. Both raise SchemaUnusable."""
    import jsonschema
    import referencing
    from jsonschema import validators
    from referencing.exceptions import Unresolvable

    library = cast(Any, jsonschema)
    base: Any = cast(Any, validators).validator_for(schema, default=None)
    if base is None:
        if isinstance(schema, dict) and "$schema" in schema:
            raise SchemaUnusable("$schema names a draft that is not known", ("$schema",))
        base = library.Draft7Validator
    try:
        base.check_schema(schema)
    except library.SchemaError as error:
        place = tuple(error.absolute_path)
        raise SchemaUnusable("it is no JSON schema: a value in it is not valid", place) from None
    except (RecursionError, re.error):
        raise SchemaUnusable(
            "the schema is nested too deep, or holds a pattern that cannot be read"
        ) from None
    # An empty registry: a $ref to another file or host is not followed.
    validator = cast(Any, validators).extend(base, {"pattern": _pattern})(
        schema, registry=cast(Any, referencing).Registry()
    )

    def refusals(value: Any) -> tuple[Refusal, ...]:
        try:
            return tuple(found for error in validator.iter_errors(value) for found in _refusals(error))
        except Unresolvable:
            raise SchemaUnusable("a $ref leads to something that is not in the file") from None
        except RecursionError:
            raise SchemaUnusable("a $ref leads back to itself without end") from None
        except re.error:
            raise SchemaUnusable("a pattern cannot be read") from None

    return refusals


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, str) and ecma_pattern(pattern).search(instance) is None:
        from jsonschema import ValidationError

        yield ValidationError("pattern")


def _refusals(error: Any) -> Iterator[Refusal]:
    path: tuple[str | int, ...] = tuple(error.absolute_path)
    keyword: str = error.validator or "false"
    if keyword == "required":
        yield from _missing(path, error)
    elif keyword == "additionalProperties" and error.validator_value is False:
        yield from _unknown(path, error)
    else:
        yield _other(path, keyword, error)


def _missing(path: tuple[str | int, ...], error: Any) -> Iterator[Refusal]:
    # The validator gives one error a missing member, and names it only in its text.
    for name in error.validator_value:
        if name not in error.instance and error.message.startswith(repr(name)):
            yield Refusal((*path, name), "required", f"the member {name} is missing", name, "absent")
            return


def _unknown(path: tuple[str | int, ...], error: Any) -> Iterator[Refusal]:
    known = cast("dict[str, Any]", error.schema.get("properties", {}))
    patterns = [ecma_pattern(text) for text in error.schema.get("patternProperties", {})]
    for name in error.instance:
        if name not in known and not any(pattern.search(name) for pattern in patterns):
            message = "the schema does not allow this member"
            yield Refusal((*path, name), "additionalProperties", message, "no such member", "present")


def _other(path: tuple[str | int, ...], keyword: str, error: Any) -> Refusal:
    value, wanted = error.instance, error.validator_value
    actual = _shown(value, path[-1] if path else "")
    if keyword == "type":
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        expected = " or ".join(map(str, names))
        return Refusal(path, keyword, f"{_kind(value)} where {expected} is needed", expected, actual)
    if keyword == "enum":
        expected = "one of " + ", ".join(_shown(item, "") for item in list(wanted)[:12])
        return Refusal(path, keyword, "the value is none of those allowed", expected, actual)
    if keyword == "pattern":
        return Refusal(path, keyword, "the text is not in its format", f"to match {wanted}", actual)
    if keyword == "false":
        return Refusal(path, keyword, "the schema allows nothing here", "nothing", actual)
    return Refusal(
        path, keyword, f"the schema's {keyword} refuses it", f"{keyword}: {_shown(wanted, '')}", actual
    )


def _shown(value: Any, name: str | int) -> str:
    """A value in a few words; an HMAC by its first digits."""
    if isinstance(value, str):
        if re.search("hmac|seal|sig|mac$|secret", str(name), re.IGNORECASE) and len(value) > 16:
            return value[:16] + "..."
        return value if len(value) <= 80 else value[:77] + "..."
    if isinstance(value, dict):
        return f"an object of {len(cast('dict[str, Any]', value))} members"
    if isinstance(value, list):
        return f"an array of {len(cast('list[Any]', value))}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)[:40]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", dict: "object", list: "array", type(None): "null"}
    return names.get(cast("type[Any]", type(value)), "number")
