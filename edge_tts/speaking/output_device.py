"""The loudspeaker as the player uses it: opened at need, kept open or closed, tried again after a failure."""

from __future__ import annotations

from collections.abc import Callable

from edge_tts.audio.devices import OpenLoudspeaker
from edge_tts.audio.loudspeaker_thread import LoudspeakerThread
from edge_tts.config import AudioConfig
from edge_tts.errors import AudioError
from edge_tts.runtime.part_status import PartStatus
from edge_tts.runtime.runtime import Runtime
from edge_tts.values import FloatArray

_PROBE_S = 10.0
_ADVICE = (
    "`edge-ttsd doctor` tells more: is it plugged in (`aplay -l`), is it the one in audio.device, "
    "does the sound server answer (`pactl info`)?"
)
_PIPE_ADVICE = "does the program that reads from audio.pipe run, and may it read there?"


class OutputDevice:
    """Owns the loudspeaker and its entry in the state. For one thread."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        open_loudspeaker: OpenLoudspeaker,
        audio: AudioConfig,
        pulse: Callable[[], None],
        in_hurry: Callable[[], bool],
    ) -> None:
        """`pulse` and `in_hurry`: as `LoudspeakerThread`'s `waiting` and `in_hurry`."""
        self._clock, self._open_loudspeaker = runtime.clock, open_loudspeaker
        self._pulse, self._in_hurry = pulse, in_hurry
        self._keep_open = audio.keep_open or audio.output == "file"  # a file opened again would begin anew
        self._loudspeaker: LoudspeakerThread | None = None
        self._last_thread: LoudspeakerThread | None = None
        """Of the loudspeaker that was opened last; its driver may not have returned yet."""
        self.timeout_s = 10.0
        """Of a call into the loudspeaker's driver."""
        self._probes = audio.output != "file"
        self._probe_at = 0.0
        self.status = PartStatus(
            "loudspeaker", events=runtime.events, advice=_PIPE_ADVICE if audio.output == "pipe" else _ADVICE
        )

    @property
    def is_open(self) -> bool:
        return self._loudspeaker is not None

    def open(self, sample_rate: int) -> LoudspeakerThread:
        """The loudspeaker at that rate. Raises AudioError."""
        if self._loudspeaker is None or self._loudspeaker.sample_rate != sample_rate:
            self.close()
            if self._last_thread is not None and self._last_thread.is_alive:
                raise AudioError("the loudspeaker's driver still does not answer", stuck=True)
            self._last_thread = LoudspeakerThread(
                self._open_loudspeaker,
                sample_rate,
                timeout_s=self.timeout_s,
                waiting=self._pulse,
                in_hurry=self._in_hurry,
            )
            self._last_thread.open()
            self._loudspeaker = self._last_thread
        return self._loudspeaker

    def write(self, samples: FloatArray, sample_rate: int) -> None:
        """Raises AudioError; then the loudspeaker is closed, and the state says why."""
        try:
            self.open(sample_rate).write(samples)
        except AudioError as error:
            self.fail(error)
            raise
        self.status.ok()

    def finish(self) -> None:
        """Wait until everything is heard, and close it unless it is kept open. Raises AudioError."""
        if self._loudspeaker is not None:
            self._loudspeaker.drain()
            self._close_unless_kept()

    def fail(self, error: AudioError) -> None:
        """It failed: close it, and look again in a while."""
        self.close()
        self.status.fail(error)
        self._probe_at = self._clock() + _PROBE_S

    def probe(self, sample_rate: int) -> None:
        """After a failure, open it now and then, so that the state says when it is back. Raises AudioError."""
        if self.status.is_ok or not self._probes or self._clock() < self._probe_at:
            return
        self._probe_at = self._clock() + _PROBE_S
        self.open(sample_rate)
        self._close_unless_kept()  # one that is kept stays: the reader of a pipe would take its closing for the end
        self.status.ok()

    def close(self) -> None:
        loudspeaker, self._loudspeaker = self._loudspeaker, None
        if loudspeaker is not None:
            loudspeaker.close()

    def _close_unless_kept(self) -> None:
        if not self._keep_open:
            self.close()
