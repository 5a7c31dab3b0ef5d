"""Stage `export`: checkpoints -> models/starter: graphs of the contract, built-in voices, manifest, notices."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_tts.convert import model_set, t2s
from edge_tts.convert.module import Module
from edge_tts.convert.opening import Checkpoints
from edge_tts.convert.staging import staged
from edge_tts.text.front_end import TextFrontEnd

from . import data, listening, parity, speaking, stage_decoder, stage_gpt, stage_tokenizer
from .clips import Clips
from .graphs import CompactGraph
from .layers import mel_filters
from .shapes import GE, LEVELS, WIDTH
from .teachers.flite import Flite, Speaker

NOTICE = Path(__file__).parent / "NOTICE.md"
PROMPT = "The shop opens at nine o'clock, and we will meet you there before lunch."
"""What the main teacher says in every built-in voice's prompt."""
LICENCE = "MIT; voices after CMU Flite's, see NOTICE.md"
POSITIONS = {"text_positions": 512, "audio_positions": 1280}
HALOS = {"wave_halo_frames": 10, "flow_halo_frames": 1 << 16}
"""The wave looks 1 (up-sampling) + 4.5 (blocks) + 2 frames (windows) around; the flow's phase needs all before it."""
SAMPLING = {"top_k": 3, "top_p": 1.0, "temperature": 0.4, "repetition_penalty": 1.0}
"""Measured: fewer word errors than 5 and 0.6; a repetition penalty would forbid silence and long vowels."""
TOKENS_PER_PHONEME = (1.8, 3.2)
"""Of any segment: 2.1 to 2.8 of sentences are measured, with 9 tokens besides (docs/streaming.md)."""
"""The teacher's slowest sentence takes 3.0 beyond the sixteen that the product grants on top."""


@dataclass(frozen=True)
class BuiltIn:
    """A voice that ships: the timbre is that of a speaker of the training data."""

    id: str
    name: str
    speaker: int


VOICES = (BuiltIn("rms", "Russ", 1), BuiltIn("slt", "Sally", 0), BuiltIn("awb", "Alan", 2), BuiltIn("kal", "Karl", 3))


def numpy_state(model: torch.nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    """Parameters and persistent buffers as float32 arrays."""
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in model.state_dict().items()}


def write_checkpoint(model: torch.nn.Module, path: Path, heads: int) -> None:
    """The GPT in upstream's file format: weights below `model.` and the part of the config that counts."""
    weights: dict[str, Tensor] = {f"model.{name}": tensor.half() for name, tensor in model.state_dict().items()}
    torch.save({"weight": weights, "config": {"model": {"head": heads}}, "info": "starter"}, path)


def write_gpt(checkpoint: Path, folder: Path) -> dict[str, int]:
    """t2s_prefill and t2s_step through the converter, with compact weights. Returns their sizes for the manifest."""
    with Checkpoints(folder) as checkpoints:
        opened = checkpoints.gpt(checkpoint)
        weights, sizes = opened.weights, replace(opened.sizes, **POSITIONS)
        for name, writer in (("t2s_prefill", t2s.write_prefill), ("t2s_step", t2s.write_step)):
            graph = CompactGraph(name)
            writer(Module(graph, weights), sizes)
            graph.save(folder / f"{name}.onnx")
        weights.complete()
    return sizes.facts


def write_networks(work: Path, folder: Path) -> dict[str, int]:
    """ssl, quantizer, conditioning, encoder, flow and wave. Returns their sizes for the manifest."""
    tokenizer = numpy_state(stage_tokenizer.restore(work, "cpu"))
    decoder = numpy_state(stage_decoder.restore(work, "cpu"))
    graphs = {name: CompactGraph(name) for name in ("ssl", "quantizer", "conditioning", "encoder", "flow", "wave")}
    listening.write_ssl(graphs["ssl"], tokenizer, mel_filters(321, 25.0), 5)
    listening.write_quantizer(graphs["quantizer"], tokenizer, LEVELS)
    listening.write_conditioning(graphs["conditioning"], decoder, mel_filters(513, 15.625), 2)
    speaking.write_encoder(graphs["encoder"], decoder)
    speaking.write_flow(graphs["flow"], decoder)
    speaking.write_wave(graphs["wave"], decoder)
    for name, graph in graphs.items():
        graph.save(folder / f"{name}.onnx")
    return {
        "ssl_width": 192,
        "conditioning_width": GE,
        "latent_width": WIDTH,
        "feature_width": WIDTH,
        "spectrogram_bins": 1025,
        "speaker_width": 0,
        "samples_per_frame": 640,
        "frames_per_token": 2,
        **HALOS,
    }


@torch.no_grad()
def speaker_vector(work: Path, speaker: int, count: int = 8) -> npt.NDArray[np.float32]:
    """Mean speaker vector of a training speaker's first clips, float32 [1, GE, 1]."""
    clips = Clips.read(work / "speakers")
    style = stage_decoder.restore(work, "cpu").style
    chosen = [index for index, clip in enumerate(clips.clips) if clip.speaker == speaker][:count]
    waves = (torch.from_numpy(clips.wave(index))[None] for index in chosen)
    vectors = torch.cat([style(stage_decoder.spectrogram(wave)) for wave in waves])
    mean: npt.NDArray[np.float32] = vectors.mean(0).numpy()[None, :, None]
    return mean


def write_voices(work: Path, folder: Path, prompt: npt.NDArray[np.int64]) -> list[str]:
    """Built-in voices: one teacher's manner of speaking, each with its own timbre. Returns their ids."""
    segments = TextFrontEnd().segments(PROMPT, "en", split="cut0")
    phonemes = np.concatenate([segment.phoneme_ids for segment in segments])
    for voice in VOICES:
        home = folder / "voices" / voice.id
        home.mkdir(parents=True)
        card = {"id": voice.id, "name": voice.name, "language": "en", "transcript": PROMPT, "licence": LICENCE}
        (home / "voice.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        conditioning = speaker_vector(work, voice.speaker)
        np.savez(home / "features.npz", prompt_tokens=prompt, prompt_phoneme_ids=phonemes, conditioning=conditioning)
    return [voice.id for voice in VOICES]


def prompt_tokens(work: Path) -> npt.NDArray[np.int64]:
    """The main teacher reads `PROMPT`; its tokens, int64 [tokens]."""
    data.read_aloud(Flite(), [(0, Speaker("rms"), PROMPT)], work / "prompt")
    wave = Clips.read(work / "prompt").wave(0)
    return stage_tokenizer.tokens(stage_tokenizer.restore(work, "cpu"), wave, "cpu").astype(np.int64)


def run(work: Path, out: Path) -> None:
    """Writes the set under a temporary name, proves that it computes what the networks compute, and renames it."""
    gpt = stage_gpt.restore(work, "cpu").model
    checkpoint = work / "gpt.ckpt"
    write_checkpoint(gpt, checkpoint, gpt.sizes.heads)
    with staged(out, replace=True) as staging:
        sizes = {**write_gpt(checkpoint, staging), **write_networks(work, staging)}
        voices = write_voices(work, staging, prompt_tokens(work))
        (staging / "NOTICE.md").write_text(NOTICE.read_text(encoding="utf-8"), encoding="utf-8")
        for line in parity.report(work, staging):
            print(line, flush=True)
        facts = {
            "format": 1,
            "name": "starter",
            "version": "1",
            "family": "starter",
            "precision": "fp32",
            "sample_rate": 32000,
            "languages": ["en"],
            "licence": LICENCE,
            "sizes": sizes,
            "sampling": SAMPLING,
            "min_tokens_per_phoneme": TOKENS_PER_PHONEME[0],
            "max_tokens_per_phoneme": TOKENS_PER_PHONEME[1],
            "join_sentences": False,  # of two in one prompt it swallows one: docs/streaming.md
            "close_clauses": True,  # it was trained on whole sentences and babbles behind a final comma
            "default_voice": voices[0],
            "voices": voices,
        }
        model_set.write_manifest(staging, facts)
        total = sum(path.stat().st_size for path in staging.glob("*.onnx"))
        print(f"graphs: {total / 1e6:.1f} MB", flush=True)
