"""Metadata of sound files as bytes: RIFF INFO, Vorbis comments (FLAC, Ogg), ID3v2; written and read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from edge_tts.errors import AudioError

_RIFF_NAMES = {"software": b"ISFT", "comment": b"ICMT", "AIGC": b"AIGC"}
INFO_BYTES = 4096
"""Of what `padded` makes."""
_STAND_IN, _AIGC = b"album={", b"AIGC={"
"""libsndfile writes no field of another name: AIGC goes in as the album."""
_MOST_BYTES = 1 << 20
"""Read of one block of metadata."""
_MOST_BLOCKS = 1000


def info_chunk(label: Mapping[str, str]) -> bytes:
    """A RIFF chunk LIST (INFO), INFO_BYTES - 8 long at most: what has no room is left out. Empty without a label."""
    fields = b""
    for name, text in label.items():
        field = _chunk(_RIFF_NAMES[name], text.encode() + b"\0")
        fields += field if len(fields) + len(field) <= INFO_BYTES - 20 else b""
    return _chunk(b"LIST", b"INFO" + fields) if label else b""


def padded(info: bytes) -> bytes:
    """An `info_chunk` and a chunk JUNK, INFO_BYTES together, so that it can be changed in place."""
    return info + _chunk(b"JUNK", bytes(INFO_BYTES - 8 - len(info)))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2)


def id3_tag(label: Mapping[str, str]) -> bytes:
    """ID3v2.4 with a TXXX frame for each field, to go before an MP3 stream."""
    frames = b""
    for name, text in label.items():
        body = b"\3" + name.encode() + b"\0" + text.encode()
        frames += struct.pack(">4s4sH", b"TXXX", _synchsafe(len(body)), 0) + body
    return struct.pack(">3sHB4s", b"ID3", 0x0400, 0, _synchsafe(len(frames))) + frames


def _synchsafe(size: int) -> bytes:
    """Seven bits a byte."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def name_aigc(head: bytes) -> bytes:
    """The beginning of a FLAC or Ogg file that libsndfile wrote with AIGC's text as its album, with the name mended."""
    at = head.lower().find(_STAND_IN)  # in capitals in Ogg
    if at < 4:
        return head
    length = int.from_bytes(head[at - 4 : at], "little")
    field = _AIGC + head[at + len(_STAND_IN) : at + length]
    changed = head[:at] + field.ljust(length) + head[at + length :]
    return _with_checksums(changed) if head[:4] == b"OggS" else changed


def _with_checksums(pages: bytes) -> bytes:
    """Ogg pages, their checksums computed anew; what follows the last whole page is left."""
    out, at = bytearray(pages), 0
    while pages[at : at + 4] == b"OggS":
        end = at + 27 + pages[at + 26] + sum(pages[at + 27 : at + 27 + pages[at + 26]])
        if end > len(pages):
            break
        out[at + 22 : at + 26] = bytes(4)
        out[at + 22 : at + 26] = _ogg_crc(out[at:end]).to_bytes(4, "little")
        at = end
    return bytes(out)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_CRC = _crc_table()


def _ogg_crc(page: bytes | bytearray) -> int:
    """RFC 3533: polynomial 0x04c11db7, from 0, not reflected."""
    value = 0
    for byte in page:
        value = (value << 8 ^ _CRC[value >> 24 ^ byte]) & 0xFFFFFFFF
    return value


def read_metadata(path: Path) -> tuple[str, dict[str, str]]:
    """The format of a file (WAV, FLAC, Ogg or MP3) and its fields. Raises AudioError."""
    try:
        with path.open("rb") as file:
            magic = file.read(12)
            name, read = _reader(magic)
            if read is None:
                raise AudioError(f"{path}: is neither WAV, FLAC, Ogg nor MP3 with an ID3v2 tag")
            file.seek(0)
            return name, dict(read(file))
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    except (struct.error, IndexError) as broken:
        raise AudioError(f"{path}: its metadata are damaged or cut short") from broken


_Fields = Iterator[tuple[str, str]]


def _reader(magic: bytes) -> tuple[str, Callable[[BinaryIO], _Fields] | None]:
    if magic[:4] in (b"RIFF", b"RF64") and magic[8:] == b"WAVE":
        return "WAV", _read_riff
    if magic[:4] == b"fLaC":
        return "FLAC", _read_flac
    if magic[:4] == b"OggS":
        return "Ogg", _read_ogg
    if magic[:3] == b"ID3":
        return "MP3", _read_id3
    return "", _read_nothing if magic[:1] == b"\xff" and magic[1:2] >= b"\xe0" else None


def _read_nothing(file: BinaryIO) -> _Fields:
    """An MP3 without a tag."""
    return iter(())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 ")


def _read_riff(file: BinaryIO) -> _Fields:
    names = {code: name for name, code in _RIFF_NAMES.items()}
    file.seek(12)
    for _ in range(_MOST_BLOCKS):
        header = file.read(8)
        if len(header) < 8:
            return
        name, size = struct.unpack("<4sI", header)
        after = file.tell() + size + size % 2
        if name == b"LIST" and size <= _MOST_BYTES:
            data, at = file.read(size), 4
            while data[:4] == b"INFO" and at + 8 <= len(data):
                code, length = struct.unpack_from("<4sI", data, at)
                yield names.get(code, _text(code)), _text(data[at + 8 : at + 8 + length])
                at += 8 + length + length % 2
        file.seek(after)


def _read_flac(file: BinaryIO) -> _Fields:
    file.seek(4)
    for _ in range(_MOST_BLOCKS):
        (header,) = struct.unpack(">I", file.read(4))
        kind, size = header >> 24, header & 0xFFFFFF
        if kind & 0x7F == 4:
            yield from _comments(file.read(min(size, _MOST_BYTES)))
        if kind & 0x80:
            return
        if kind & 0x7F != 4:
            file.seek(size, 1)


def _read_ogg(file: BinaryIO) -> _Fields:
    """The comments are the second packet, behind the magic of Vorbis or of Opus."""
    packets, unfinished = 0, b""
    for _ in range(_MOST_BLOCKS):
        header = file.read(27)
        segments = file.read(header[26])
        for size in segments:
            unfinished += file.read(size)
            if len(unfinished) > _MOST_BYTES:
                return
            if size < 255:
                packets += 1
                if packets == 2:
                    magic = next((m for m in (b"\x03vorbis", b"OpusTags") if unfinished.startswith(m)), None)
                    yield from () if magic is None else _comments(unfinished[len(magic) :])
                    return
                unfinished = b""


def _comments(data: bytes) -> _Fields:
    """Of a Vorbis comment block."""
    (vendor,) = struct.unpack_from("<I", data)
    (count,) = struct.unpack_from("<I", data, 4 + vendor)
    at = 8 + vendor
    for _ in range(min(count, _MOST_BLOCKS)):
        (length,) = struct.unpack_from("<I", data, at)
        name, _, text = data[at + 4 : at + 4 + length].partition(b"=")
        yield ("AIGC" if name.upper() == b"AIGC" else _text(name).lower()), _text(text)
        at += 4 + length


def _read_id3(file: BinaryIO) -> _Fields:
    """TXXX frames in UTF-8 or Latin-1, as `id3_tag` and ffmpeg write them."""
    header = file.read(10)
    data = file.read(min(_from_synchsafe(header[6:10]), _MOST_BYTES))
    at, safe = 0, header[3] >= 4
    while data[at : at + 4].strip(b"\0") and at + 10 <= len(data):
        size = _from_synchsafe(data[at + 4 : at + 8]) if safe else int.from_bytes(data[at + 4 : at + 8], "big")
        body = data[at + 10 : at + 10 + size]
        if data[at : at + 4] == b"TXXX" and body[:1] in (b"\0", b"\3"):
            name, _, text = body[1:].partition(b"\0")
            yield ("AIGC" if name.upper() == b"AIGC" else _text(name).lower()), _text(text)
        at += 10 + size


def _from_synchsafe(data: bytes) -> int:
    size = 0
    for byte in data:
        size = size << 7 | byte & 0x7F
    return size
