"""The two small files of a database: `META`, written once, and `CLEAN`, there only after a clean close.

Both are a msgpack map and a CRC-32 (u32, little-endian) of it at the end.
"""

from __future__ import annotations

from typing import Annotated, Final
from zlib import crc32

import msgspec

from .envelope import U32
from .errors import EngineError, UnsupportedFormat

__all__ = [
    "META_FORMAT",
    "SMALL_FILE_LIMIT",
    "CleanMark",
    "Meta",
    "decode_clean",
    "decode_meta",
    "encode_clean",
    "encode_meta",
]

META_FORMAT: Final = 1
SMALL_FILE_LIMIT: Final = 64 * 1024
"""Neither file comes near it; a larger one is not read."""

_U64 = Annotated[int, msgspec.Meta(ge=0)]


class Meta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What makes a database this one: `salt` is in every entry of its log. `created` is us since the epoch."""

    format: int = META_FORMAT
    db_uuid: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    salt: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    created: _U64


class CleanMark(msgspec.Struct, frozen=True, gc=False):
    """Where the log ended at a clean close, and the last commit version in it."""

    end_lsn: _U64
    cv: _U64


class _Format(msgspec.Struct, frozen=True):
    format: _U64


_meta_decoder: Final = msgspec.msgpack.Decoder(Meta)
_format_decoder: Final = msgspec.msgpack.Decoder(_Format)
_clean_decoder: Final = msgspec.msgpack.Decoder(CleanMark)


def encode_meta(meta: Meta) -> bytes:
    """The bytes of `META`. Raises EngineError for a salt of zeros: zeros are what damage leaves."""
    if len(meta.db_uuid) != 16 or len(meta.salt) != 8 or not any(meta.salt):
        raise EngineError("the identity of a database has 16 bytes, and its salt 8, not all zero")
    return _sealed(msgspec.msgpack.encode(meta))


def decode_meta(data: bytes, path: str) -> Meta:
    """What `META` says; `path` is for the error.

    Raises EngineError where the bytes are damaged, UnsupportedFormat where a newer program wrote them.
    """
    content = _unsealed(data)
    if content is None:
        raise _damaged(path, "its checksum is wrong")
    try:
        # The format is looked at alone: what else a later one holds is not ours to judge.
        version = _format_decoder.decode(content).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if version > META_FORMAT:
        raise UnsupportedFormat(
            f"{path} is of format {version}, this program knows {META_FORMAT}", version=version, path=path
        )
    try:
        meta = _meta_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    if version != META_FORMAT or not any(meta.salt):
        raise _damaged(path, "its format is 0" if version != META_FORMAT else "its salt is zero")
    return meta


def encode_clean(mark: CleanMark) -> bytes:
    """The bytes of `CLEAN`."""
    return _sealed(msgspec.msgpack.encode(mark))


def decode_clean(data: bytes) -> CleanMark | None:
    """What `CLEAN` says, None where its bytes are damaged.

    A damaged one proves nothing, so the caller goes on as if it were not there (as after a crash) and reports
    it: to refuse the database would be harm without cause, to believe it could turn an ordinary crash tail
    into lost data, or lost data into an ordinary tail.
    """
    content = _unsealed(data)
    if content is None:
        return None
    try:
        return _clean_decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _sealed(content: bytes) -> bytes:
    return content + U32.pack(crc32(content))


def _unsealed(data: bytes) -> bytes | None:
    if not 4 < len(data) <= SMALL_FILE_LIMIT:
        return None
    content = data[:-4]
    return content if U32.pack(crc32(content)) == data[-4:] else None


def _damaged(path: str, how: str) -> EngineError:
    return EngineError(
        f"{path} is damaged: {how}",
        path=path,
        remedy="Put META back from a copy of this database. Without it, `devstate db recover` takes the identity "
        "from a snapshot or from the log, once the damaged file is moved away.",
    )
