"""How recordings become a voice, on toy networks: what is averaged, and where it can be stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_tts.engine.contract import Array
from edge_tts.errors import AudioError, VoiceError
from edge_tts.synthesis.encoder import EncoderNetworks, VoiceEncoder
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, FloatArray, Recording, Voice

from .stage import MODEL
from .toys import ToyEngine

RATE = 32000
ORDER = ["ssl", "quantizer", "speaker", "conditioning", "speaker", "conditioning", "speaker", "conditioning"]
"""The networks as they run for three recordings."""


class Networks:
    """An encoder of the v2Pro kind. The timbre of a recording is how loud it is, and how loud its filterbank."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.ssl = ToyEngine(self._ssl)
        self.encoder = VoiceEncoder(
            model=replace(MODEL, sizes=replace(MODEL.sizes, speaker_width=1)),
            front_end=TextFrontEnd(),
            networks=EncoderNetworks(
                ssl=self.ssl,
                quantizer=ToyEngine(self._quantizer),
                conditioning=ToyEngine(self._conditioning),
                speaker=ToyEngine(self._speaker),
            ),
        )

    def encode(self, *recordings: Recording, stop_after: int | None = None) -> Voice:
        """The voice of the recordings; stopped once so many networks have run."""
        request = EncodeRequest("v", "V", "en", "Hello there.", recordings)
        return self.encoder.encode(request, lambda: len(self.ran) == stop_after)

    def _ssl(self, wave: FloatArray) -> dict[str, Array]:
        self.ran.append("ssl")
        return {"ssl": np.zeros((1, 1, 4), np.float32)}

    def _quantizer(self, ssl: FloatArray) -> dict[str, Array]:
        self.ran.append("quantizer")
        return {"codes": np.array([[1, 2, 3]])}

    def _speaker(self, fbank: FloatArray) -> dict[str, Array]:
        self.ran.append("speaker")
        return {"embedding": fbank.mean(axis=(1, 2))[:, None]}

    def _conditioning(self, spectrogram: FloatArray, speaker: FloatArray) -> dict[str, Array]:
        self.ran.append("conditioning")
        return {"ge": np.array([[[spectrogram.mean()], [speaker[0, 0]]]], np.float32)}


def recording(level: float, seconds: float = 3.0) -> Recording:
    """Noise of that level."""
    noise = np.random.default_rng(1).normal(0, level, int(seconds * RATE))
    return Recording(noise.astype(np.float32), RATE)


def test_the_conditioning_is_the_mean_over_all_recordings() -> None:
    """Each recording counts the same, however long it is; the prompt is the first one's, whatever else there is."""
    recordings, networks = [recording(0.01), recording(0.05, 9.0), recording(0.1, 4.0)], Networks()
    alone = [networks.encode(one).conditioning for one in recordings]
    assert len({float(vector[0, 0, 0]) for vector in alone}) == 3
    calls = len(networks.ssl.calls)
    together = networks.encode(*recordings)
    np.testing.assert_allclose(together.conditioning, np.mean(alone, axis=0), rtol=1e-6)
    assert len(networks.ssl.calls) == calls + 1
    np.testing.assert_array_equal(networks.ssl.calls[-1]["wave"], networks.ssl.calls[0]["wave"])
    assert together.prompt_tokens.tolist() == [1, 2, 3]


def test_the_prompt_is_read_with_silence_behind_it() -> None:
    """The semantic tokens of the prompt are those of the recording at 16 kHz and 0.6 s of zeros after it."""
    networks = Networks()
    networks.encode(recording(0.1, 3.0))
    (wave,) = networks.ssl.calls[0]["wave"]
    assert len(wave) == 48000 + 9600
    assert wave[47900:48000].any()
    assert not wave[48000:].any()


def lender(name: str, level: float, language: str = "en") -> Voice:
    """A voice of the set with a prompt of its own, and the timbre of a recording of that level."""
    voice = Networks().encode(recording(level))
    tokens, ids, bert = np.array([len(name), 7]), np.array([8]), np.ones((1, 1024), np.float32)
    return replace(voice, name=name, language=language, prompt_tokens=tokens, prompt_phoneme_ids=ids, prompt_bert=bert)


@pytest.mark.parametrize("seconds", [0.8, 2.9])
def test_a_short_recording_gives_the_timbre_alone(seconds: float) -> None:
    """Under 3 s the prompt is that of the set's nearest voice in the language; the conditioning stays the speaker's."""
    networks = Networks()
    near, far, foreign = lender("near", 0.02), lender("distant", 0.5), lender("foreign", 0.01, "zh")
    networks.encoder = replace(networks.encoder, lenders=lambda: [far, foreign, near])
    voice = networks.encode(recording(0.01, seconds))
    assert (voice.id, voice.prompt_tokens.tolist()) == ("v", near.prompt_tokens.tolist())
    assert voice.prompt_phoneme_ids is near.prompt_phoneme_ids
    assert voice.prompt_bert is near.prompt_bert
    alone = networks.encoder._conditioning(recording(0.01, seconds), lambda: False)
    np.testing.assert_allclose(voice.conditioning, alone, rtol=1e-6)
    assert "ssl" not in networks.ran
    assert networks.encode(recording(0.01, 3.0)).prompt_tokens.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("names", "lent"), [(("far", "near", "foreign"), "near"), (("foreign",), "foreign")])
def test_a_set_may_want_no_prompts_but_its_own(names: tuple[str, ...], lent: str) -> None:
    """However long the recording, the prompt is that of the set's nearest voice: one in the language, or else any; the
    conditioning stays the speaker's, and too long a recording is refused as ever."""
    networks = Networks()
    every = {voice.name: voice for voice in (lender("far", 0.5), lender("near", 0.02), lender("foreign", 0.01, "zh"))}
    model = replace(networks.encoder.model, own_prompts=False)
    networks.encoder = replace(networks.encoder, model=model, lenders=lambda: [every[name] for name in names])
    voice = networks.encode(recording(0.01, 3.0))
    assert voice.prompt_tokens.tolist() == every[lent].prompt_tokens.tolist()
    assert voice.prompt_phoneme_ids is every[lent].prompt_phoneme_ids
    alone = networks.encoder._conditioning(recording(0.01, 3.0), lambda: False)
    np.testing.assert_allclose(voice.conditioning, alone, rtol=1e-6)
    with pytest.raises(AudioError, match="3 to 10 s long"):
        networks.encode(recording(0.01, 10.5))


def test_without_a_voice_to_lend_a_prompt_a_short_recording_is_none() -> None:
    """A set that has no voice in the language says how long a reference must be."""
    networks = Networks()
    networks.encoder = replace(networks.encoder, lenders=lambda: [lender("foreign", 0.01, "zh")])
    with pytest.raises(AudioError, match=r"lasts 1\.50 s; a reference is 3 to 10 s long"):
        networks.encode(recording(0.01, 1.5))


@pytest.mark.parametrize("stop_after", range(len(ORDER)))
def test_encoding_stops_before_the_next_network(stop_after: int) -> None:
    """A stop takes effect after one network at most, whichever that is."""
    networks = Networks()
    with pytest.raises(VoiceError, match="stopped"):
        networks.encode(recording(0.01), recording(0.05), recording(0.1), stop_after=stop_after)
    assert networks.ran == ORDER[:stop_after]


def test_what_is_not_stopped_runs_to_its_end() -> None:
    """The order above is the whole of it."""
    networks = Networks()
    networks.encode(recording(0.01), recording(0.05), recording(0.1))
    assert networks.ran == ORDER
