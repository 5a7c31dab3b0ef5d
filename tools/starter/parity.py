"""Do the exported graphs compute what the trained networks compute? A figure per graph, an error beyond its bound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError

from . import stage_decoder, stage_tokenizer
from .decoder import Decoder
from .layers import LogMel
from .library import Library
from .networks import Networks
from .shapes import TOKEN
from .spoken import Spoken, spoken
from .t2s import Teaching
from .tokenizer import Tokenizer

FloatArray = npt.NDArray[np.float32]
LISTENING = 16000
"""The rate that the product listens at."""
BOUND = 0.03
"""Largest relative rms difference: what float16 weights may cost."""


def graph(folder: Path, name: str, feeds: dict[str, npt.NDArray[np.generic]], output: str) -> npt.NDArray[np.generic]:
    """One run of an exported graph through the product's own engine."""
    engine = load_engine(folder / f"{name}.onnx", threads=1)
    try:
        return np.asarray(engine.run(feeds)[output])
    finally:
        engine.close()


def compared(name: str, found: npt.NDArray[np.generic], wanted: torch.Tensor) -> str:
    """Line with the relative rms difference; ModelError when shapes differ or it is beyond the bound."""
    truth = wanted.detach().float().numpy()
    if found.shape != truth.shape:
        raise ModelError(f"{name}: the graph gives {found.shape}, the network {truth.shape}")
    error = float(np.sqrt(np.mean((found - truth) ** 2) / (np.mean(truth**2) + 1e-12)))
    if not error < BOUND:
        raise ModelError(f"{name}: the graph differs from the network by {error:.4f} relative rms, allowed {BOUND}")
    return f"parity {name}: {error:.5f} relative rms"


@torch.no_grad()
def report(networks: Networks, test: Library, folder: Path) -> Iterator[str]:
    """Compares every graph on one sentence of the test. Raises ModelError."""
    sentence = spoken(test.items, stage_tokenizer.read(test.items))[0]
    yield from _tokens(networks.tokenizer, folder, test.wave(0, LISTENING))
    yield from _decoder(networks.decoder, folder, test.wave(0), sentence)
    yield from _gpt(networks.gpt, folder, sentence)


def _tokens(model: Tokenizer, folder: Path, wave: FloatArray) -> Iterator[str]:
    wave = wave[: len(wave) // 640 * 640]
    features = model.features(LogMel(LISTENING)(torch.from_numpy(wave)[None]))
    ssl = graph(folder, "ssl", {"wave": wave[None]}, "ssl")
    yield compared("ssl", ssl, features.transpose(1, 2))
    codes = graph(folder, "quantizer", {"ssl": ssl}, "codes")
    same = float((codes == model.codes(features).numpy()).mean())
    if same < 0.97:
        raise ModelError(f"quantizer: only {same:.1%} of the codes are the network's")
    yield f"parity quantizer: {same:.1%} of the codes equal"


def _decoder(model: Decoder, folder: Path, wave: FloatArray, spoken: Spoken) -> Iterator[str]:
    wave = wave[: len(wave) // TOKEN * TOKEN]
    spectrogram = stage_decoder.spectrogram(torch.from_numpy(wave)[None])
    full = np.pad(spectrogram.numpy(), ((0, 0), (0, 1025 - spectrogram.shape[1]), (0, 0)))
    ge = model.style(spectrogram)
    yield compared("conditioning", graph(folder, "conditioning", {"spectrogram": full}, "ge"), ge[..., None])
    codes, phonemes = torch.from_numpy(spoken.tokens)[None], torch.from_numpy(spoken.phonemes)[None]
    features, _ = model.encoder(codes, phonemes, torch.tensor([phonemes.shape[1]]), ge)
    speaker = ge.numpy()[..., None]
    feeds: dict[str, npt.NDArray[np.generic]] = {"codes": codes.numpy(), "phoneme_ids": phonemes.numpy(), "ge": speaker}
    yield compared("encoder", graph(folder, "encoder", feeds, "features"), features.transpose(1, 2))
    noise = np.random.default_rng(0).standard_normal(features.transpose(1, 2).shape, np.float32)
    pitch, voiced = model.flow.heads(features, ge)
    latent = model.flow.latent(
        features, torch.exp(pitch) * (voiced > 0), torch.from_numpy(noise).transpose(1, 2), 0.5
    ).transpose(1, 2)
    flowed = graph(
        folder,
        "flow",
        {
            "features": features.transpose(1, 2).numpy().copy(),
            "ge": speaker,
            "noise": noise,
            "noise_scale": np.array([0.5], np.float32),
        },
        "latent",
    )
    # The phase is compared by the sound: a hair's breadth at 0 is a whole turn at 1.
    keep = np.r_[0:18, 20 : flowed.shape[1]]
    yield compared("flow", flowed[:, keep], latent[:, keep])
    audio = graph(folder, "wave", {"latent": latent.numpy().copy(), "ge": speaker}, "audio")
    yield compared("wave", audio, model.voice(latent.transpose(1, 2), ge))


def _gpt(model: Teaching, folder: Path, spoken: Spoken) -> Iterator[str]:
    from edge_tts.synthesis.t2s import prefill_mask

    phonemes, tokens = spoken.phonemes, spoken.tokens[:-1]
    wanted = model.logits(torch.from_numpy(phonemes)[None], torch.from_numpy(tokens)[None])
    feeds: dict[str, npt.NDArray[np.generic]] = {
        "phoneme_ids": phonemes[None],
        "bert": np.zeros((1, len(phonemes), 1024), np.float32),
        "prompt_tokens": tokens[None],
        "mask": prefill_mask(len(phonemes), len(tokens)),
    }
    yield compared("t2s_prefill", graph(folder, "t2s_prefill", feeds, "logits"), wanted)
