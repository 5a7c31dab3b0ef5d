"""One seeded utterance through every graph of a model set, in the order in which a voice is made and a sentence spoken.

It knows how graphs follow each other and what stands in for one that is missing; it does not know why they are run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_tts.audio.features import SAMPLE_RATE, SSL_RATE, filterbank, resample, spectrogram
from edge_tts.engine.contract import TensorSpec
from edge_tts.synthesis.t2s import prefill_mask
from edge_tts.values import FloatArray

Array = npt.NDArray[Any]
Feeds = Mapping[str, Array]
Run = Callable[[str, Feeds], Mapping[str, Array]]
"""(graph name, inputs) -> outputs of that graph."""
Inputs = Callable[[str], Mapping[str, TensorSpec]]
"""Graph name -> its inputs. Asked for a graph just before that is run."""

_SECONDS = 0.8
_TOKENS = 16
_PHONEMES = 14


class Chain:
    """`graphs` are the names of the graphs there are, `run` runs one, `inputs` tells what one takes."""

    def __init__(self, graphs: Collection[str], run: Run, inputs: Inputs, *, seed: int = 1) -> None:
        self._graphs, self._run, self._inputs = graphs, run, inputs
        self._random = np.random.default_rng(seed)

    def walk(self) -> None:
        """Run every graph there is once, or a few times where it is called in a loop."""
        sound = voice_like(_SECONDS, SAMPLE_RATE)
        low = resample(sound, SAMPLE_RATE, SSL_RATE)
        codes = self._codes(low)
        bert = self._bert()
        if "t2s_prefill" in self._graphs:
            codes = self._think(codes, bert)
        if "encoder" in self._graphs:
            self._sing(codes[:_TOKENS], self._conditioning(sound, low))

    def _codes(self, low: FloatArray) -> Array:
        """Prompt tokens [N]: by SSL and quantizer as far as they are there."""
        if "ssl" in self._graphs:
            ssl = self._run("ssl", {"wave": low[None]})["ssl"]
        elif "quantizer" in self._graphs:
            ssl = self._normal(1, self._width("quantizer", "ssl", 1), 2 * _TOKENS)
        if "quantizer" in self._graphs:
            return np.asarray(self._run("quantizer", {"ssl": ssl})["codes"][0])
        return self._random.integers(0, 1024, _TOKENS)

    def _bert(self) -> Array:
        """BERT rows [phonemes, width]; the ids are among those that every vocabulary has."""
        if "bert" in self._graphs:
            ids = self._random.integers(110, 500, (1, _PHONEMES + 2))
            return np.asarray(self._run("bert", {"token_ids": ids})["hidden"][0, 1:-1])
        return self._normal(_PHONEMES, 1024)

    def _think(self, prompt: Array, bert: Array) -> Array:
        """Greedy tokens after a prompt, each through the step graph."""
        phonemes = self._random.integers(0, 732, (1, 2 * _PHONEMES))
        rows = np.concatenate([bert, np.zeros_like(bert)])[None].astype(np.float32)
        # The runtime's mask, made smaller: it hides as well, and is no value of the network's own.
        mask = prefill_mask(2 * _PHONEMES, len(prompt)) * np.float32(0.01)
        feeds: dict[str, Array] = {"phoneme_ids": phonemes, "bert": rows, "prompt_tokens": prompt[None], "mask": mask}
        first = self._run("t2s_prefill", feeds)
        token, cache = int(first["logits"][0, :-1].argmax()), first["rows"][:, :, 0]
        tokens = [token]
        for index in range(_TOKENS - 1):
            feeds = {f"cache_{plane}": np.ascontiguousarray(rows[:, None]) for plane, rows in enumerate(cache)}
            feeds["token"], feeds["position"] = np.array([token]), np.array([len(prompt) + index])
            feeds["mask"] = np.zeros((1, cache.shape[1]), np.float32)
            result = self._run("t2s_step", feeds)
            cache = np.concatenate([cache, result["rows"]], axis=1)
            token = int(result["logits"][0, :-1].argmax())
            tokens.append(token)
        return np.array(tokens)

    def _conditioning(self, sound: FloatArray, low: FloatArray) -> Array:
        feeds: dict[str, Array] = {"spectrogram": spectrogram(sound)[None]}
        if "speaker" in self._graphs:
            embedding = self._run("speaker", {"fbank": filterbank(low)[None]})["embedding"]
        if "speaker" in self._inputs("conditioning"):
            width = self._width("conditioning", "speaker", 1)
            fits = "speaker" in self._graphs and embedding.shape[1] == width
            feeds["speaker"] = embedding if fits else np.abs(self._normal(1, width))
        return np.asarray(self._run("conditioning", feeds)["ge"])

    def _sing(self, codes: Array, ge: Array) -> None:
        phonemes = self._random.integers(0, 732, (1, _PHONEMES))
        features = self._run("encoder", {"codes": codes[None], "phoneme_ids": phonemes, "ge": ge})["features"]
        noise = self._normal(1, self._width("flow", "noise", 1), features.shape[2])
        scale = np.array([0.5], np.float32)
        latent = self._run("flow", {"features": features, "ge": ge, "noise": noise, "noise_scale": scale})["latent"]
        self._run("wave", {"latent": latent, "ge": ge})

    def _width(self, graph: str, name: str, axis: int) -> int:
        return int(self._inputs(graph)[name].shape[axis])

    def _normal(self, *shape: int) -> FloatArray:
        return self._random.standard_normal(shape, np.float32)


def voice_like(seconds: float, rate: int) -> FloatArray:
    """A gliding tone with harmonics and a little noise, float32 [samples], peak 0.7."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(150 + 60 * np.sin(2 * np.pi * 1.7 * time)) / rate
    wave = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    wave = wave * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) + 0.05 * np.random.default_rng(3).standard_normal(
        len(time)
    )
    samples: FloatArray = (0.7 * wave / np.abs(wave).max()).astype(np.float32)
    return samples
