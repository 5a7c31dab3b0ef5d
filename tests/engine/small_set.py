"""A model set with seeded random weights, small enough to run in milliseconds, written by our own converter."""

from __future__ import annotations

import zlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from edge_tts.convert.builder import Graph
from edge_tts.convert.module import Module
from edge_tts.convert.sovits import SovitsSizes
from edge_tts.convert.sovits_encoder import write_encoder
from edge_tts.convert.sovits_wave import write_flow, write_wave
from edge_tts.convert.t2s import T2SSizes, write_prefill, write_step
from edge_tts.values import FloatArray, ModelSet, ModelSizes, Voice

GPT = T2SSizes(layers=2, width=32, heads=2, feed_forward=64, tokens=1025, phonemes=732, bert_width=1024)
SOVITS = SovitsSizes(
    family="v2",
    conditioning=512,
    hidden=16,
    latent=8,
    codes=1024,
    ssl=8,
    heads=2,
    upsample_rates=(10, 8, 8),
    block_dilations=((1, 3),),
)
SIZES = ModelSizes(
    tokens=1025,
    bert_width=1024,
    conditioning_width=512,
    latent_width=8,
    samples_per_frame=640,
    frames_per_token=2,
    wave_halo_frames=8,
    flow_halo_frames=16,
    text_positions=GPT.text_positions,
    audio_positions=GPT.audio_positions,
)
_SHAPES = {
    "enc_p.text_embedding.weight": (732, 16),
    "conv_1.weight": (32, 16, 3),
    "emb_rel_k": (1, 9, 8),
    "dec.conv_pre.weight": (16, 8, 7),
    "dec.ups.0.weight_v": (16, 8, 16),
    "dec.ups.1.weight_v": (8, 4, 16),
    "dec.ups.2.weight_v": (4, 2, 16),
    "in_layers.0.weight_v": (32, 16, 5),
    "in_layers.1.weight_v": (32, 16, 5),
    "convs1.0.weight_v": (2, 2, 3),
}


class RandomWeights:
    """In place of a checkpoint: whatever array is asked for exists and is drawn from its name."""

    label = "random"

    def __contains__(self, name: str) -> bool:
        return name.startswith("enc_p.") and name.endswith(".gamma")  # only its norms are called gamma and beta

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        (found,) = [shape for suffix, shape in _SHAPES.items() if name.endswith(suffix)]
        assert len(found) == rank
        return found

    def take(self, name: str, *shape: int) -> FloatArray:
        random = np.random.default_rng(zlib.crc32(name.encode()))
        scale = 1.0 / max(float(np.prod(shape[1:])) ** 0.5, 1.0)
        array: FloatArray = (random.standard_normal(shape) * scale).astype(np.float32)
        return array

    def count(self, pattern: str) -> int:
        return 2


def write_graphs(
    folder: Path, *, half: bool = False, gpt: T2SSizes = GPT, sovits: SovitsSizes = SOVITS, weights: Any = None
) -> Path:
    """The five graphs that speak, into `folder`."""
    weights = weights or RandomWeights()
    for name, writer, sizes in (
        ("t2s_prefill", write_prefill, gpt),
        ("t2s_step", write_step, gpt),
        ("encoder", write_encoder, sovits),
        ("flow", write_flow, sovits),
        ("wave", write_wave, sovits),
    ):
        graph = Graph(name, half=half)
        writer(Module(graph, weights), sizes)
        graph.save(folder / f"{name}.onnx")
    return folder


def write_prefill_of(path: Path, *, text_positions: int) -> None:
    """A prefill whose table has so many positions for phonemes."""
    graph, weights = Graph("t2s_prefill"), cast("Any", RandomWeights())
    write_prefill(Module(graph, weights), replace(GPT, text_positions=text_positions))
    graph.save(path)


def model_set(folder: Path, precision: str = "fp32") -> ModelSet:
    """The set as the store would read it."""
    return ModelSet(
        name="small",
        version="1",
        family="v2",
        precision=precision,
        directory=folder,
        sample_rate=32000,
        languages=("en", "zh"),
        licence="MIT",
        sizes=SIZES,
        default_voice=None,
        voices=(),
        files={},
    )


def voice() -> Voice:
    """A voice with a short prompt."""
    random = np.random.default_rng(5)
    return Voice(
        id="v",
        name="V",
        language="en",
        prompt_tokens=random.integers(0, 1024, 20),
        prompt_phoneme_ids=random.integers(1, 700, 12),
        prompt_bert=np.zeros((12, 1024), np.float32),
        conditioning=random.standard_normal((1, 512, 1)).astype(np.float32),
    )


def manifest() -> dict[str, Any]:
    """What `write_manifest` needs to know of the set."""
    return {
        "format": 1,
        "name": "small",
        "version": "1",
        "family": "v2",
        "precision": "fp32",
        "sample_rate": 32000,
        "languages": ["en"],
        "licence": "MIT",
        "sizes": asdict(SIZES),
        "voices": [],
        "max_tokens_per_phoneme": 0.5,
    }
