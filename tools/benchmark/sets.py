"""A GPT-SoVITS v2 at full size with random weights: checkpoints in upstream's format, and our model set of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from edge_tts.convert.builder import Graph
from edge_tts.convert.checkpoint import Weights
from edge_tts.convert.model_set import Options, Sources, convert
from edge_tts.convert.module import Module
from edge_tts.convert.sovits import write_conditioning, write_quantizer
from edge_tts.convert.sovits_encoder import write_encoder
from edge_tts.convert.sovits_wave import write_flow, write_wave
from edge_tts.convert.t2s import write_prefill
from edge_tts.values import FloatArray
from tests.convert.golden import manifest
from tests.convert.torch_files import write_torch
from tools.gpu.sets import GPT, SOVITS, FullWeights

from .peers.serving import PROMPT_PHONEMES, PROMPT_TOKENS, phoneme_ids, token_ids

LICENCE = "random numbers; free of rights"
_SOVITS = replace(SOVITS, family="v2", conditioning=512)
_CHANNELS, _KERNELS = 512, (16, 16, 8, 2, 2)
_GPT_CONFIG = {"embedding_dim": 512, "hidden_dim": 512, "head": 16, "linear_units": 2048, "n_layer": 24}
_SOVITS_CONFIG = {
    "inter_channels": 192,
    "filter_channels": 768,
    "n_layers": 6,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "upsample_initial_channel": _CHANNELS,
    "version": "v2",
}
"""What a full-size network has otherwise than the small one of the tests."""


class Recorder(FullWeights):
    """Remembers every array that a writer has taken."""

    def __init__(self) -> None:
        super().__init__(_CHANNELS, _KERNELS)
        self.taken: dict[str, FloatArray] = {}

    def take(self, name: str, *shape: int) -> FloatArray:
        return self.taken.setdefault(name, super().take(name, *shape))


def write_checkpoints(folder: Path) -> tuple[Path, Path]:
    """The GPT's and SoVITS' files, in float16 as upstream distributes them; what is there already stays."""
    gpt, sovits = folder / "random-gpt.ckpt", folder / "random-sovits.pth"
    writers = (write_quantizer, write_conditioning, write_encoder, write_flow, write_wave)
    if not gpt.exists():
        _write("t2s_v2_small", _GPT_CONFIG, _recorded((write_prefill,), GPT, "model."), gpt)
    if not sovits.exists():
        _write("sovits_v2_small", _SOVITS_CONFIG, _recorded(writers, _SOVITS), sovits)
    return gpt, sovits


def converted(gpt: Path, sovits: Path, out: Path) -> Path:
    """The model set of these checkpoints, written once."""
    if not (out / "manifest.json").exists():
        convert(Sources(gpt=gpt, sovits=sovits), out, Options(name=out.name, licence=LICENCE), voices=_write_voice)
        manifest_path = out / "manifest.json"
        facts = json.loads(manifest_path.read_text(encoding="utf-8"))
        facts["max_tokens_per_phoneme"] = 25 / 15  # random networks find no end
        manifest_path.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return out


def _recorded(
    writers: tuple[Callable[[Module, Any], None], ...], sizes: object, prefix: str = ""
) -> dict[str, FloatArray]:
    """The parameters that these networks have, by their names in a checkpoint."""
    weights = Recorder()
    for write in writers:
        graph = Graph("recorded")
        write(Module(graph, cast("Weights", weights)), sizes)
        graph.close()
    return {f"{prefix}{name}": array for name, array in weights.taken.items()}


def _write(small: str, config: dict[str, Any], arrays: dict[str, FloatArray], path: Path) -> None:
    facts = manifest(small)
    full = {**facts["config"], "model": {**facts["config"]["model"], **config}}
    weights = {name: array.astype(np.float16) for name, array in arrays.items()}
    write_torch(path, {"weight": weights, "config": full, "info": "random"}, head=facts["leading_bytes"])


def _write_voice(staging: Path) -> list[str]:
    """A voice of random numbers: no network that encodes one is needed."""
    folder = staging / "voices" / "default"
    folder.mkdir(parents=True)
    card = {"id": "default", "name": "default", "language": "en", "transcript": "random", "licence": LICENCE}
    (folder / "voice.json").write_text(json.dumps(card), encoding="utf-8")
    np.savez(
        folder / "features.npz",
        prompt_tokens=np.array(token_ids(PROMPT_TOKENS)),
        prompt_phoneme_ids=np.array(phoneme_ids(PROMPT_PHONEMES)),
        prompt_bert=np.zeros((PROMPT_PHONEMES, GPT.bert_width), np.float16),
        conditioning=0.1 * np.random.default_rng(7).standard_normal((1, _SOVITS.conditioning, 1), np.float32),
    )
    return ["default"]
