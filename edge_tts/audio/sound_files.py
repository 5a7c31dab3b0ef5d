"""Sound files: FLAC in and out, other formats by soundfile or ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile

from edge_tts.errors import AudioError
from edge_tts.values import FloatArray, Recording

_LONGEST_S = 600
_MOST_SAMPLES = 1 << 26
"""Over all channels: ten minutes of stereo at 48 kHz, 256 MiB as float32."""
_FFMPEG_TIMEOUT_S = 60.0


def to_flac(recording: Recording) -> bytes:
    """16-bit FLAC of mono float32 [n]; decoded and encoded again it is the same file."""
    buffer = io.BytesIO()
    pcm16 = np.round(recording.samples.astype(np.float64) * 32768).clip(-32768, 32767).astype(np.int16)
    soundfile.write(buffer, pcm16, recording.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def read_sound(data: bytes, *, what: str, longest_s: int = _LONGEST_S, most_samples: int = _MOST_SAMPLES) -> Recording:
    """Decodes what libsndfile reads (WAV, FLAC, OGG, MP3, ...). Raises AudioError, for length before decoding.

    `most_samples`: over all channels.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames > longest_s * file.samplerate:
                raise AudioError(f"{what}: lasts longer than {longest_s} s; cut it to what is to be used")
            if file.frames * file.channels > most_samples:
                raise AudioError(
                    f"{what}: unpacks to more than {most_samples} samples; make it mono and convert it to 48000 Hz"
                )
            samples: FloatArray = file.read(dtype="float32")
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, RuntimeError) as broken:
        raise AudioError(f"{what}: is no sound that can be read: {broken}") from broken
    return Recording(samples, rate)


def read_any(path: Path) -> Recording:
    """Decodes by libsndfile, else by ffmpeg where installed. Raises AudioError."""
    try:
        data = path.read_bytes()
    except OSError as missing:
        raise AudioError(f"{path}: cannot be read ({missing.strerror})") from missing
    try:
        return read_sound(data, what=str(path))
    except AudioError as refused:
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise AudioError(f"{refused} (ffmpeg, which reads more formats, is not installed)") from refused
        return _by_ffmpeg(ffmpeg, path)


def _by_ffmpeg(ffmpeg: str, path: Path) -> Recording:
    """ffmpeg may open this file only: no network protocol, no playlist."""
    input_options = [ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    output_options = ["-vn", "-t", str(_LONGEST_S), "-ac", "1", "-ar", "48000", "-f", "f32le", "-"]
    command = [*input_options, "-i", f"file:{path}", *output_options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_FFMPEG_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise AudioError(f"{path}: ffmpeg failed: {failed}") from failed
    if done.returncode or not done.stdout:
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no sound in it"]
        raise AudioError(f"{path}: neither libsndfile nor ffmpeg can read it: {tail[0]}")
    return Recording(np.frombuffer(done.stdout, "<f4").copy(), 48000)
