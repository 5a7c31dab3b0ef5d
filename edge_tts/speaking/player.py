"""The player: plays a bounded queue of sound on the loudspeaker, with volume, pause and a soft stop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

import numpy as np

from edge_tts.audio.devices import OpenLoudspeaker
from edge_tts.audio.provenance import RecentContents
from edge_tts.config import AudioConfig
from edge_tts.errors import AudioError
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.ducking import Ducking
from edge_tts.speaking.job import IN_HAND_S, Job, failure
from edge_tts.speaking.output_device import OutputDevice
from edge_tts.values import AudioChunk, FloatArray, Priority

BLOCK_S = 0.04
"""Length of a block: how soon a stop or a new volume is heard."""


ALERT_WAIT_S = 10.0
"""How long an alert waits for a loudspeaker that is gone; its deadline may come first."""
_ALERT_RETRY_S = 0.5
_IDLE_S = 3.0
"""After so long a pause a request has the lead-in and the chime."""
_MUTE = (
    "this device plays nothing (audio.output: none): have the sound sent to you: over Wyoming, HTTP, or by `deliver`"
)


class Ramp:
    """A gain that moves linearly to its target, so that no change clicks."""

    def __init__(self, *, full_scale_s: float) -> None:
        self.gain = 1.0
        self._full_scale_s = full_scale_s

    def apply(self, samples: FloatArray, *, target: float, sample_rate: int) -> FloatArray:
        """float32 [samples] times the gain, which moves at most 1.0 per `full_scale_s`."""
        step = 1.0 / (self._full_scale_s * sample_rate)
        distance = target - self.gain
        walk = np.minimum(np.arange(1, len(samples) + 1, dtype=np.float32) * step, abs(distance))
        gains = self.gain + np.copysign(walk, distance)
        if len(samples):
            self.gain = float(gains[-1])
        out: FloatArray = (samples * gains).astype(np.float32)
        return out


class Player(Part):
    """The sink that owns the loudspeaker. `play`, `finish` and `release_device` block, the rest returns at once."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        open_loudspeaker: OpenLoudspeaker,
        audio: AudioConfig | None = None,
        chimes: Mapping[Priority, FloatArray] = MappingProxyType({}),
        contents: RecentContents | None = None,
        ducking: Ducking | None = None,
    ) -> None:
        """`chimes`: what is played before requests of a priority, at the speech's rate. `contents`: takes what is
        played."""
        super().__init__(name="player", runtime=runtime)
        audio = audio or AudioConfig()
        self._pulse = runtime.health.pulse("player")
        self._buffer_s = audio.buffer_s
        self._volume = runtime.events.state.volume / 100
        self._paused = False
        self._condition = threading.Condition()
        self._blocks: deque[FloatArray] = deque()
        self._job: Job | None = None
        self._finishing = False
        self._contents = contents
        self._prepared = False
        """Whether `_prepare` was called for the job."""
        self._ducking = ducking
        self._chimes, self._lead_in_s = chimes, audio.lead_in_ms / 1000
        self._samples_played, self._prelude_samples = 0, 0
        self._played_at = float("-inf")
        """When the last block was played."""
        self._dry_at: float | None = None
        """Since when the next block of the job is missing."""
        self._is_live = audio.output != "file"
        self._sample_rate = 0
        self._ramp = Ramp(full_scale_s=audio.fade_ms / 1000)
        self._is_mute = audio.output == "none"
        self.device = OutputDevice(
            runtime=runtime,
            open_loudspeaker=open_loudspeaker,
            audio=audio,
            pulse=self._pulse,
            in_hurry=self.stopping.is_set,
        )
        if not self._is_mute:
            self.device.status.begin()
        self._release_requested = False

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        if self._is_mute and len(chunk.samples):
            job.stop(failure(AudioError(_MUTE)))
            return
        size = max(1, int(BLOCK_S * chunk.sample_rate))
        room = max(1, int(self._buffer_s / BLOCK_S))
        with self._condition:
            self._begin(job, chunk.sample_rate)
            for start in range(0, len(chunk.samples), size):
                while len(self._blocks) >= room and not job.stop_reason() and not self.stopping.is_set():
                    self._condition.wait(1.0)
                    waiting()
                if job.stop_reason() or self.stopping.is_set():
                    return
                self._blocks.append(chunk.samples[start : start + size])
                self._condition.notify_all()

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        with self._condition:
            if self._job is not job:
                return 0.0
            self._finishing = True
            self._condition.notify_all()
            while self._job is job and not self.stopping.is_set():
                self._condition.wait(1.0)
                waiting()
            return max(0, self._samples_played - self._prelude_samples) / self._sample_rate

    def release_device(self, timeout_s: float = 2.0) -> bool:
        """Close the loudspeaker, unless it is playing; whether it was closed. The next sound opens it again."""
        with self._condition:
            if not self.device.is_open or self._job is not None:
                return False
            self._release_requested = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self.device.is_open or self._job is not None, timeout_s)
            return not self.device.is_open

    def set_volume(self, volume: float) -> None:
        """Linear gain, 0 to 1."""
        self._volume = volume

    def pause(self, paused: bool) -> None:
        """Fade out and pause, or resume."""
        with self._condition:
            self._paused = paused
            self._condition.notify_all()

    def give_up(self) -> None:
        """Play no more: for a stop, once the fade is over. Those who wait for the end of a job are let go."""
        self.stopping.set()
        self.wake()

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def work(self) -> None:
        """Write block after block; the device's pace is the clock."""
        self.ready()
        try:
            while not self.stopping.is_set():
                self._pulse()
                try:
                    self._one_step()
                    if self._job is None:
                        self.device.probe(self._sample_rate)
                except AudioError as error:
                    self._fail(error)
        finally:
            self.device.close()

    def _one_step(self) -> None:
        with self._condition:
            job = self._job
            begins = job if self._blocks and not self._prepared else None
        if begins is not None:
            self._prepare(begins)
        with self._condition:
            job = self._job
            block = self._next_block(job)
            ended = job is not None and block is None and self._is_over(job)
            if block is None and not ended:
                self._idle()
                return
        assert job is not None  # a block and an end both have one
        if block is not None:
            self._write(job, block)
        if ended:
            self._end(job)

    def _idle(self) -> None:
        if self._release_requested and self._job is None:
            self.device.close()
            self._condition.notify_all()
        self._release_requested = False
        left_s = 0.0 if self._job is None else self._job.starts_at - self.runtime.clock()
        self._condition.wait(left_s if 0 < left_s < 1 else 1.0)

    def _prepare(self, job: Job) -> None:
        """Before the first block: what takes its time, so that the sound begins when it is to."""
        self._prepared = True
        if job.expire(self.runtime.clock()):
            return
        if self._ducking is not None:
            self._ducking.begin(self._pulse)
        if job.starts_at > self.runtime.clock():
            with suppress(AudioError):  # whoever writes tries again, and tells
                self.device.open(self._sample_rate)

    def _next_block(self, job: Job | None) -> FloatArray | None:
        """The block to play now; None while there is none or the gain has faded to silence."""
        fading = self._paused or (job is not None and job.stop_reason() is not None)
        if job is None or not self._blocks:
            self._note_dry(job is None or fading)
            return None
        if self._samples_played == 0 and self.runtime.clock() < job.starts_at:
            return None
        if fading and (self._samples_played == 0 or self._ramp.gain < 1e-4):
            self._dry_at = None
            return None
        block = self._blocks.popleft()
        self._condition.notify_all()
        return block

    def _note_dry(self, excused: bool) -> None:
        """A part of the job has been played and nothing is there to follow."""
        if excused or self._finishing or not self._is_live or self._samples_played <= self._prelude_samples:
            self._dry_at = None
        elif self._dry_at is None:
            self._dry_at = self.runtime.clock()

    def _count_underrun(self, job: Job) -> None:
        dry_at, self._dry_at = self._dry_at, None
        if dry_at is not None and self.runtime.clock() - dry_at > IN_HAND_S:
            job.underruns += 1

    def _is_over(self, job: Job) -> bool:
        return self._finishing and (bool(job.stop_reason()) or not self._blocks)

    def _write(self, job: Job, block: FloatArray) -> None:
        if self._samples_played == 0 and job.expire(self.runtime.clock()):
            return
        self._count_underrun(job)
        fading = self._paused or bool(job.stop_reason())
        target = 0.0 if fading else max(self._volume * job.request.gain, job.min_volume)
        if self._samples_played == 0:
            self._ramp.gain = target
        self._hand_over(job, self._ramp.apply(block, target=target, sample_rate=self._sample_rate))
        if self._samples_played == self._prelude_samples:
            job.report(self.runtime, "first_audio")
        self._samples_played += len(block)
        self._played_at = self.runtime.clock()

    def _hand_over(self, job: Job, samples: FloatArray) -> None:
        """Write to the loudspeaker; an alert waits for one that is gone."""
        began = self.runtime.clock()
        while True:
            try:
                self.device.write(samples, self._sample_rate)
            except AudioError:
                if not self._may_wait(job, began):
                    raise
                with self._condition:
                    self._condition.wait(_ALERT_RETRY_S)
                self._pulse()
            else:
                return

    def _may_wait(self, job: Job, began: float) -> bool:
        if job.request.priority != "alert" or job.stop_reason() or self.stopping.is_set():
            return False
        expires_at = None if job.envelope is None else job.envelope.expires_at
        until = began + ALERT_WAIT_S
        return self.runtime.clock() < (until if expires_at is None else min(until, expires_at))

    def _begin(self, job: Job, sample_rate: int) -> None:
        if self._job is not job:
            self._job, self._sample_rate, self._samples_played, self._finishing = job, sample_rate, 0, False
            self._prepared = False
            self._blocks.clear()
            self._prelude_samples = self._add_prelude(job)
            content = job.content(self.runtime)
            if self._contents is not None and content is not None:
                self._contents.add(content)
            job.on_stop(self.wake)

    def _add_prelude(self, job: Job) -> int:
        """Queue silence for a loudspeaker that sleeps, and the chime. The number of samples."""
        idle = self.runtime.clock() - self._played_at > _IDLE_S
        prelude = np.zeros(int(self._lead_in_s * self._sample_rate) if idle else 0, np.float32)
        chime = self._chimes.get(job.request.priority)
        if chime is not None and job.kind is None and (idle or job.request.priority == "alert"):
            prelude = np.concatenate([prelude, chime])
        size = max(1, int(BLOCK_S * self._sample_rate))
        self._blocks.extend(prelude[start : start + size] for start in range(0, len(prelude), size))
        return len(prelude)

    def _end(self, job: Job) -> None:
        self.device.finish()
        self._unduck()
        with self._condition:
            self._blocks.clear()
            self._job = None
            self._condition.notify_all()

    def _unduck(self) -> None:
        if self._ducking is not None:
            self._ducking.end()

    def _fail(self, error: AudioError) -> None:
        """The device failed: fail the job, and let the next one open the device again."""
        self._unduck()
        with self._condition:
            if self._job is not None:
                self._job.stop(failure(error))
                self._job = None
            self._blocks.clear()
            self._condition.notify_all()
        self.device.fail(error)
