"""The player: order, volume, fades, pause, back-pressure and a device that is pulled out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fakes import RATE, WAIT_S, FakeClock, FakeLoudspeaker, Notes, until
from rig import make_runtime, sentence

from edge_tts.config import AudioConfig
from edge_tts.errors import AudioError
from edge_tts.runtime.event_bus import PartHealth
from edge_tts.speaking.job import Job, Outcome
from edge_tts.speaking.journal import Envelope
from edge_tts.speaking.player import BLOCK_S, Player, Ramp
from edge_tts.values import AudioChunk, FloatArray

BLOCK = int(BLOCK_S * RATE)
FADE_S = 0.02


class Room:
    """A player with its loudspeaker and the unexpected exceptions it reported."""

    def __init__(self, buffer_s: float = 1.0, keep_open: bool = True) -> None:
        self.speaker = FakeLoudspeaker()
        self.opened = 0
        self.on_open: Callable[[], None] = lambda: None
        self.notes, self.clock = Notes(), FakeClock()
        self.player = Player(
            runtime=make_runtime(self.notes, clock=self.clock),
            open_loudspeaker=self._open,
            audio=AudioConfig(buffer_s=buffer_s, fade_ms=1000 * FADE_S, keep_open=keep_open),
        )

    @property
    def first(self) -> list[str]:
        """Whose first sound has been reported."""
        return [report.id for report in self.notes.reports if report.stage == "first_audio"]

    def _open(self, sample_rate: int) -> FakeLoudspeaker:
        self.opened += 1
        self.on_open()
        return self.speaker

    @property
    def health(self) -> PartHealth:
        """What the state says of the loudspeaker."""
        return self.player.runtime.events.state.health["loudspeaker"]

    def job(self, name: str = "job", volume: float = 1.0, expires_at: float | None = None) -> Job:
        return Job(sentence(name, volume=100 * volume), sink=self.player, envelope=Envelope(expires_at))

    def play(self, job: Job, seconds: float = 1.0, level: float = 0.5) -> None:
        samples = np.full(int(seconds * RATE), level, np.float32)
        self.player.play(job, AudioChunk(samples, RATE, job.request.id, last=True), lambda: None)


@pytest.fixture
def room() -> Iterator[Room]:
    """A player with a second of buffer, running."""
    room = Room()
    with room.player:
        yield room
        room.speaker.release()


def test_every_sample_is_played_in_order_and_first_audio_is_told_once(room: Room) -> None:
    """What goes in comes out unchanged at full volume; the first block is reported, the end is waited for."""
    job = room.job()
    ramp = np.linspace(-1, 1, RATE, dtype=np.float32)
    for part in np.array_split(ramp, 7):
        room.player.play(job, AudioChunk(part, RATE, "job", last=False), lambda: None)
    assert room.player.finish(job, lambda: None) == pytest.approx(1.0)
    np.testing.assert_array_equal(room.speaker.heard, ramp)
    assert (room.first, room.speaker.drains) == (["job"], 1)


def test_volume_is_the_product_of_both_gains(room: Room) -> None:
    """The appliance's volume and the request's own are multiplied."""
    room.player.set_volume(0.5)
    job = room.job(volume=0.5)
    room.play(job)
    room.player.finish(job, lambda: None)
    np.testing.assert_allclose(room.speaker.heard, 0.125, rtol=1e-6)


def test_a_stop_fades_out_and_drops_the_rest(room: Room) -> None:
    """After a stop the sound comes down to zero without a step, and what was waiting is not played."""
    room.speaker.hold()
    job = room.job()
    room.play(job, seconds=0.9)
    room.speaker.let_through(2)
    until(lambda: len(room.speaker.blocks) == 2)
    job.stop(Outcome("interrupted"))
    room.speaker.release()
    played_s = room.player.finish(job, lambda: None)
    heard = room.speaker.heard
    assert played_s < 0.5
    assert abs(heard[-1]) < 1e-4
    assert np.abs(np.diff(heard)).max() <= 0.5 / (FADE_S * RATE) * 2.01


def test_play_waits_for_room_and_returns_when_stopped() -> None:
    """A full buffer holds the worker back; a stop lets it go at once, even while the device takes nothing."""
    room = Room(buffer_s=0.5)
    with room.player:
        room.speaker.hold()
        job, waits = room.job(), threading.Event()
        pusher = threading.Thread(target=room.play, args=(job, 5.0))
        pusher.start()
        until(lambda: len(room.player._blocks) == int(0.5 / BLOCK_S))
        assert pusher.is_alive()
        job.stop(Outcome("interrupted"))
        pusher.join(WAIT_S)
        assert not pusher.is_alive()
        assert not waits.is_set()
        room.speaker.release()
        room.player.finish(job, lambda: None)


def test_pause_holds_and_resume_goes_on(room: Room) -> None:
    """While paused nothing is written; afterwards the rest follows, without a step at either end."""
    room.speaker.hold()
    job = room.job()
    room.play(job, seconds=0.9)
    room.speaker.let_through(2)
    until(lambda: len(room.speaker.blocks) == 2)
    room.player.pause(True)
    room.speaker.release()
    until(lambda: abs(float(room.speaker.heard[-1])) < 1e-4)
    held = len(room.speaker.blocks)
    room.player.pause(False)
    room.player.finish(job, lambda: None)
    heard = room.speaker.heard
    assert len(room.speaker.blocks) > held
    assert len(heard) == int(0.9 * RATE)
    assert np.abs(np.diff(heard)).max() <= 0.5 / (FADE_S * RATE) * 2.01


def test_a_paused_job_that_never_began_can_be_stopped(room: Room) -> None:
    """A stop reaches a job that waits behind a pause."""
    room.player.pause(True)
    job = room.job()
    room.play(job, seconds=0.2)
    job.stop(Outcome("interrupted"))
    assert room.player.finish(job, lambda: None) == 0.0
    assert room.speaker.blocks == []


def test_an_expired_job_is_not_begun_late(room: Room) -> None:
    """A deadline that passes between the queue and the first sample still holds."""
    job = room.job(expires_at=room.clock.now - 1)
    room.play(job, seconds=0.2)
    assert room.player.finish(job, lambda: None) == 0.0
    reason = job.stop_reason()
    assert reason is not None
    assert reason.stage == "expired"
    assert room.speaker.blocks == []


def test_the_loudspeaker_is_released_when_nothing_plays(room: Room) -> None:
    """Not while a job is playing; afterwards it is closed on request, once, and opened again for the next."""
    assert not room.player.release_device()
    first, second = room.job("first"), room.job("second")
    room.play(first)
    until(lambda: room.first == ["first"])
    assert not room.player.release_device()
    room.player.finish(first, lambda: None)
    assert not room.speaker.closed
    assert room.player.release_device()
    assert room.speaker.closed
    assert not room.player.release_device()
    room.play(second)
    room.player.finish(second, lambda: None)
    assert room.opened == 2


def test_a_device_that_fails_ends_the_job_and_the_next_one_opens_it_anew(room: Room) -> None:
    """An AudioError is the job's failure, not the player's; the loudspeaker is closed and opened again."""
    room.speaker.broken = True
    job = room.job("unlucky")
    room.play(job, seconds=0.2)
    room.player.finish(job, lambda: None)
    reason = job.stop_reason()
    assert reason is not None
    assert reason.details["error"] == "AudioError"
    until(lambda: room.speaker.closed)
    room.speaker.broken = False
    second = room.job("lucky")
    room.play(second, seconds=0.2)
    assert room.player.finish(second, lambda: None) == pytest.approx(0.2)
    assert room.opened == 2


def test_the_device_is_given_back_between_jobs_if_so_configured() -> None:
    """Without keep_open each job opens the loudspeaker for itself."""
    room = Room(keep_open=False)
    with room.player:
        for name in ("one", "two"):
            job = room.job(name)
            room.play(job, seconds=0.1)
            room.player.finish(job, lambda: None)
    assert room.opened == 2
    assert room.speaker.closed


class Gone(Exception):
    """No AudioError."""


@pytest.mark.parametrize("error", [AudioError("pulled out"), Gone("odd"), KeyError("card"), SystemExit(1)])
@pytest.mark.parametrize("where", ["open", "write", "drain", "close"])
def test_whatever_a_loudspeaker_raises_costs_one_request(
    error: BaseException, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request fails with an AudioError, the log has one WARNING with what to do, the state says since when and why;
    the next request is played, and the state says so."""
    room, broken = Room(keep_open=False), threading.Event()
    broken.set()

    def fail(place: str) -> None:
        if broken.is_set() and place == where:
            raise error

    class Odd(FakeLoudspeaker):
        def write(self, samples: FloatArray) -> None:
            fail("write")
            super().write(samples)

        def drain(self) -> None:
            fail("drain")

        def close(self) -> None:
            fail("close")

    room.speaker, room.on_open = Odd(), lambda: fail("open")
    with room.player:
        job = room.job("first")
        room.play(job, seconds=0.1)
        room.player.finish(job, lambda: None)
        if where != "close":  # what was heard was heard
            outcome = job.stop_reason()
            assert outcome is not None
            assert outcome.details["error"] == "AudioError"
            until(lambda: room.health.status == "failing")
            assert room.health.since
            (warning,) = [record for record in caplog.records if "loudspeaker is failing" in record.message]
            assert "edge-ttsd doctor" in warning.message
        broken.clear()
        job = room.job("second")
        room.play(job, seconds=0.1)
        assert room.player.finish(job, lambda: None) == pytest.approx(0.1)
        assert room.health == PartHealth()


def test_a_loudspeaker_that_never_returns(caplog: pytest.LogCaptureFixture) -> None:
    """Its request fails after the time-out, the state says `stuck`, the next request fails at once without another
    thread; when the driver comes to, everything is as before."""
    room = Room()
    with room.player:
        room.speaker.hold()
        room.player.device.timeout_s = 0.5
        job = room.job("first")
        room.play(job, seconds=0.1)
        room.player.finish(job, lambda: None)
        assert job.stop_reason() is not None
        until(lambda: room.health.status == "stuck")
        job = room.job("second")
        room.play(job, seconds=0.1)
        assert room.player.finish(job, lambda: None) == 0.0
        assert sum(thread.name == "loudspeaker" for thread in threading.enumerate()) == 1
        room.speaker.release()
        until(lambda: all(thread.name != "loudspeaker" for thread in threading.enumerate()))
        room.clock.now += 11
        until(lambda: room.health.status == "ok")  # without a request
        job = room.job("third")
        room.play(job, seconds=0.1)
        assert room.player.finish(job, lambda: None) == pytest.approx(0.1)
    assert sum("loudspeaker is stuck" in record.message for record in caplog.records) == 1


def test_a_stop_does_not_wait_for_a_driver() -> None:
    """A player whose loudspeaker takes nothing any more ends within its two seconds, and who waits for the job goes."""
    room = Room()
    with room.player:
        room.speaker.hold()
        job = room.job()
        room.play(job, seconds=0.1)
        waits = threading.Thread(target=room.player.finish, args=(job, lambda: None))
        waits.start()
        began = time.monotonic()
        room.player.give_up()
        waits.join(WAIT_S)
    assert time.monotonic() - began < 8
    room.speaker.release()


def alert(room: Room, ttl_s: float | None = None) -> Job:
    expires_at = None if ttl_s is None else room.clock.now + ttl_s
    return Job(sentence("alert", priority="alert"), sink=room.player, envelope=Envelope(expires_at))


@pytest.mark.parametrize("moment", ["open", "mid-sentence"])
def test_an_alert_waits_for_its_loudspeaker(moment: str) -> None:
    """An alert whose loudspeaker is gone is held, while the state says so, and goes on when it is back."""
    room, tries = Room(), 0

    def come_back() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            room.speaker.broken = False
        elif moment == "open" and tries < 3:
            raise AudioError("not there")

    room.on_open = come_back
    room.speaker.broken = moment == "mid-sentence"
    with room.player:
        job = alert(room)
        room.play(job, seconds=0.2)
        assert room.player.finish(job, lambda: None) == pytest.approx(0.2)
    assert job.stop_reason() is None
    assert len(room.speaker.heard) == int(0.2 * RATE)
    assert "failing" in [
        value["health"].get("loudspeaker", {}).get("status") for topic, value in room.notes.retained if topic == "state"
    ]


@pytest.mark.parametrize(("ttl_s", "waits_s"), [(None, 10.0), (3.0, 3.0), (60.0, 10.0)])
def test_an_alert_does_not_wait_for_ever(ttl_s: float | None, waits_s: float) -> None:
    """After ten seconds, or its `ttl_s`, it fails; a stop ends the waiting at once."""
    room, tried = Room(), threading.Semaphore(0)
    room.speaker.broken = True
    room.on_open = tried.release
    with room.player:
        job = alert(room, ttl_s)
        room.play(job, seconds=0.1)
        assert tried.acquire(timeout=WAIT_S)
        room.clock.now += waits_s - 0.1
        assert tried.acquire(timeout=WAIT_S)
        assert job.stop_reason() is None
        room.clock.now += 0.2
        room.player.finish(job, lambda: None)
        outcome = job.stop_reason()
        assert outcome is not None
        assert outcome.details["error"] == "AudioError"
        job = alert(room)
        room.play(job, seconds=0.1)
        job.stop(Outcome("interrupted"))
        assert room.player.finish(job, lambda: None) == 0.0


def test_a_ramp_reaches_its_target_exactly() -> None:
    """The gain walks in a straight line and stays on its target."""
    ramp = Ramp(full_scale_s=0.1)
    out = ramp.apply(np.ones(20, np.float32), target=0.0, sample_rate=100)
    np.testing.assert_allclose(out[:10], np.arange(0.9, -0.05, -0.1), atol=1e-6)
    assert ramp.gain == 0.0
    assert not out[10:].any()


def test_after_a_pause_silence_and_a_chime_come_first() -> None:
    """A request after a pause begins with the lead-in and the chime, one right after it does not, an alert has its
    chime, the device's own words have none; neither counts as speech, and `first_audio` is the speech's."""
    room = Room()
    audio = AudioConfig(fade_ms=1000 * FADE_S, lead_in_ms=200)
    room.player = Player(
        runtime=make_runtime(room.notes, clock=room.clock),
        open_loudspeaker=lambda rate: room.speaker,
        audio=audio,
        chimes={"normal": np.full(RATE // 10, 0.25, np.float32), "alert": np.full(RATE // 10, 0.125, np.float32)},
    )

    def say(name: str, **keys: str) -> FloatArray:
        before = len(room.speaker.heard)
        job = Job(sentence(name, **keys), sink=room.player)
        room.play(job, seconds=0.1)
        assert room.player.finish(job, lambda: None) == pytest.approx(0.1)
        return room.speaker.heard[before:]

    silence, chime, alert = [0.0] * (RATE // 5), [0.25] * (RATE // 10), [0.125] * (RATE // 10)
    speech = [0.5] * (RATE // 10)
    with room.player:
        assert say("first").tolist() == silence + chime + speech
        assert say("second").tolist() == speech
        assert say("fire", priority="alert").tolist() == alert + speech
        room.clock.now += 60
        assert say("low", priority="low").tolist() == silence + speech
        room.clock.now += 60
        own = Job(sentence("own"), sink=room.player, kind="enrolment")
        before = len(room.speaker.heard)
        room.play(own, seconds=0.1)
        room.player.finish(own, lambda: None)
        assert room.speaker.heard[before:].tolist() == silence + speech
    assert room.first == ["first", "second", "fire", "low", "own"]


def test_a_stop_ends_the_chime_too() -> None:
    """What is stopped during its prelude says nothing, and has not begun to speak."""
    room = Room()
    room.player = Player(
        runtime=make_runtime(room.notes, clock=room.clock),
        open_loudspeaker=lambda rate: room.speaker,
        audio=AudioConfig(fade_ms=1000 * FADE_S, lead_in_ms=1000),
    )
    job = room.job()
    room.speaker.hold()
    with room.player:
        room.play(job, seconds=0.1)
        room.speaker.let_through(2)
        until(lambda: len(room.speaker.blocks) == 2)
        job.stop(Outcome("interrupted", {}))
        room.speaker.release()
        assert room.player.finish(job, lambda: None) == 0
    assert not room.speaker.heard.any()
    assert room.first == []


def test_nothing_is_heard_before_its_time(room: Room) -> None:
    """A job with a start time opens the loudspeaker and waits; at that time it is played whole."""
    job = room.job()
    job.starts_at = room.clock.now + 5
    room.play(job, seconds=0.2)
    until(lambda: room.opened == 1)
    room.clock.now += 4.9
    room.player.wake()
    assert not room.speaker.blocks
    room.clock.now += 0.2
    room.player.wake()
    assert room.player.finish(job, lambda: None) == pytest.approx(0.2)


def test_a_job_that_is_stopped_before_its_time_is_never_heard(room: Room) -> None:
    """A stop ends the waiting."""
    job = room.job()
    job.starts_at = room.clock.now + 5
    room.play(job, seconds=0.2)
    until(lambda: room.opened == 1)
    job.stop(Outcome("interrupted"))
    assert room.player.finish(job, lambda: None) == 0
    assert not room.speaker.blocks


def test_a_gap_in_speech_is_counted(room: Room) -> None:
    """The next sound came after the loudspeaker had played what it had: once for each gap, and not for a pause."""
    job = room.job()

    def play() -> None:
        played = len(room.speaker.heard)
        room.play(job, seconds=0.1)
        until(lambda: len(room.speaker.heard) == played + int(0.1 * RATE))

    play()
    until(lambda: room.player._dry_at is not None)
    room.clock.now += 0.1
    play()
    assert job.underruns == 0  # within what the loudspeaker has in hand
    until(lambda: room.player._dry_at is not None)
    room.clock.now += 0.5
    play()
    assert job.underruns == 1
    room.player.pause(True)
    until(lambda: room.player._dry_at is None)
    room.clock.now += 10
    room.player.pause(False)
    play()
    assert room.player.finish(job, lambda: None) == pytest.approx(0.4)
    assert job.underruns == 1
