"""Sound files that nobody vouches for, decoded by a process with limits: a file made to crash or exhaust its decoder is
one refusal.

The process answers a line of JSON and the samples.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from edge_tts.audio.sound_files import LONGEST_S, MOST_SAMPLES, read_any, read_sound
from edge_tts.errors import AudioError
from edge_tts.limited_process import ProcessLimits, ProcessLostError, begin, run_limited
from edge_tts.values import Recording

_MODULE = "edge_tts.audio.foreign_sound"
_LIMITS = ProcessLimits(memory_bytes=2 << 30, cpu_s=60)


def decode_file(path: Path) -> Recording:
    """As `sound_files.read_any`. Raises AudioError."""
    return _decode([str(path.absolute()), str(path)], (), what=str(path))


def decode_sound(data: bytes, *, what: str, longest_s: int = LONGEST_S, most_samples: int = MOST_SAMPLES) -> Recording:
    """As `sound_files.read_sound`. Raises AudioError."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            arguments = [f"/dev/fd/{file.fileno()}", what, str(longest_s), str(most_samples)]
            return _decode(arguments, (file.fileno(),), what=what)
    except OSError as error:
        raise AudioError(f"{what}: cannot be decoded ({error.strerror})") from error


def _decode(arguments: list[str], handles: tuple[int, ...], *, what: str) -> Recording:
    try:
        answer = run_limited(_MODULE, arguments, _LIMITS, handles=handles)
    except ProcessLostError as lost:
        raise AudioError(f"{what}: is no sound that can be read: {lost}") from lost
    head, _, samples = answer.partition(b"\n")
    values = json.loads(head)
    if "error" in values:
        raise AudioError(values["error"])
    return Recording(np.frombuffer(samples, np.float32).reshape(values["shape"]).copy(), values["rate"])


def main(arguments: list[str]) -> int:
    """PATH WHAT [LONGEST_S MOST_SAMPLES]: answers rate and shape, and float32 samples."""
    out, (path, what, *limits) = begin(arguments)
    samples = b""
    try:
        if limits:
            longest_s, most_samples = map(int, limits)
            data = Path(path).read_bytes()
            recording = read_sound(data, what=what, longest_s=longest_s, most_samples=most_samples)
        else:
            recording = read_any(Path(path), what=what)
        values: dict[str, object] = {"rate": recording.sample_rate, "shape": recording.samples.shape}
        samples = np.ascontiguousarray(recording.samples).tobytes()
    except AudioError as error:
        values = {"error": str(error)}
    except MemoryError:
        values = {"error": f"{what}: is no sound that can be read: it takes more memory than any recording does"}
    with out:
        out.write(json.dumps(values).encode() + b"\n" + samples)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
