"""A PNG of two spectrograms, one above the other: what the starter says and what its teacher said. Needs only numpy."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_tts.durable.atomic import replacing

FloatArray = npt.NDArray[np.float32]
RATE, SIZE, HOP = 24000, 1024, 120
RANGE_DB, STEPS = 70.0, 20
COLOURS = np.array([[8, 8, 32], [60, 15, 110], [170, 40, 110], [245, 125, 60], [252, 250, 190]], np.float32)
GAP = 8


def spectrogram(wave: FloatArray) -> FloatArray:
    """Level 0 to 1 over the loudest 70 dB in even steps, float32 [SIZE / 4, frames], high frequencies first."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, SIZE // 2), SIZE)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(SIZE))) ** 2
    level = 10 * np.log10(np.maximum(power[:, 1:], 1e-12)).reshape(len(frames), SIZE // 4, 2).max(2)
    scaled = ((level - level.max()) / RANGE_DB + 1).clip(0, 1).T[::-1]
    return np.asarray(np.round(scaled * STEPS) / STEPS, np.float32)


def coloured(level: FloatArray) -> npt.NDArray[np.uint8]:
    """[rows, columns] -> uint8 [rows, columns, 3] along the colour scale."""
    place = level * (len(COLOURS) - 1)
    left = np.minimum(place.astype(int), len(COLOURS) - 2)
    share = (place - left)[..., None]
    mixed: npt.NDArray[np.uint8] = (COLOURS[left] * (1 - share) + COLOURS[left + 1] * share).astype(np.uint8)
    return mixed


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An RGB image as a PNG file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows, columns, _ = image.shape
    raw = b"".join(b"\0" + image[row].tobytes() for row in range(rows))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def write(above: FloatArray, below: FloatArray, path: Path) -> None:
    """Two waves of 24 kHz on one time axis, 5 ms a column, 0 to 12 kHz."""
    longest = max(len(above), len(below))
    pair = [coloured(spectrogram(np.pad(wave, (0, longest - len(wave))))) for wave in (above, below)]
    gap = np.full((GAP, pair[0].shape[1], 3), 255, np.uint8)
    with replacing(path) as beside:
        beside.write_bytes(png(np.concatenate([pair[0], gap, pair[1]])))
