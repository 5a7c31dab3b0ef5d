"""The sink of a job whose sound is kept as a file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.audio.provenance import Provenance, RecentContents
from edge_tts.audio.sound_files import SoundSink
from edge_tts.audio.sound_stream import whole_sound
from edge_tts.durable.folders import make_folder
from edge_tts.errors import AudioError, QueueFullError
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Sink, failure
from edge_tts.values import AudioChunk, FloatArray


class ResultFile:
    """A sound file that appears under its name once it is whole."""

    def __init__(self, path: Path, *, check_room: Callable[[int], None]) -> None:
        self._path, self._check_room = path, check_room
        self._writing = ExitStack()
        self._sound: SoundSink | None = None

    def write(self, samples: FloatArray, sample_rate: int, content: Provenance | None) -> None:
        """Raises OSError, AudioError, QueueFullError."""
        if self._sound is None:
            make_folder(self._path.parent)
            contents = RecentContents(*(() if content is None else (content,)))
            self._sound = self._writing.enter_context(
                whole_sound(self._path, sample_rate=sample_rate, contents=contents)
            )
        self._check_room(2 * len(samples))
        self._sound.write(samples)

    def keep(self) -> None:
        """Raises AudioError."""
        self._writing.close()

    def drop(self) -> None:
        stopped = InterruptedError("the job was stopped")
        self._writing.__exit__(InterruptedError, stopped, None)


class ResultSink:
    """Keeps the sound of a job, and plays it where `loudspeaker` is given."""

    def __init__(self, file: ResultFile, runtime: Runtime, loudspeaker: Sink | None) -> None:
        self._file, self._runtime, self._loudspeaker = file, runtime, loudspeaker
        self._seconds = 0.0

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        if len(chunk.samples) and job.stop_reason() is None:
            self._keep(job, chunk)
        if self._loudspeaker is not None:
            self._loudspeaker.play(job, chunk, waiting)

    @property
    def renders(self) -> bool:
        return self._loudspeaker is None

    def full(self) -> bool:
        return False

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        seconds = self._seconds if self._loudspeaker is None else self._loudspeaker.finish(job, waiting)
        if job.stop_reason() is None:
            self._try(job, self._file.keep)
        if job.stop_reason() is not None:
            self._file.drop()
        return seconds

    def _keep(self, job: Job, chunk: AudioChunk) -> None:
        if self._loudspeaker is None and self._seconds == 0:
            job.report(self._runtime, "first_audio")
        self._seconds += len(chunk.samples) / chunk.sample_rate
        samples, content = chunk.samples * np.float32(job.request.gain), job.content(self._runtime)
        self._try(job, lambda: self._file.write(samples, chunk.sample_rate, content))

    def _try(self, job: Job, act: Callable[[], None]) -> None:
        try:
            act()
        except (AudioError, QueueFullError) as refused:
            job.stop(failure(refused))
        except OSError as error:
            job.stop(failure(AudioError(f"the result cannot be kept ({error.strerror})")))
