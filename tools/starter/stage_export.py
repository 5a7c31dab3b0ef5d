"""Stage `export`: checkpoints -> models/starter: graphs of the contract, built-in voices, manifest, notices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_tts.convert import model_set, t2s
from edge_tts.convert.module import Module
from edge_tts.convert.opening import Checkpoints
from edge_tts.convert.staging import staged
from edge_tts.durable.atomic import replacing
from edge_tts.text.front_end import TextFrontEnd

from . import listening, parity, speaking, stage_decoder, stage_tokenizer
from .cast import PROMPT, BuiltIn, Cast, cast_of
from .decoder import Style
from .graphs import CompactGraph
from .layers import LogMel, mel_filters
from .library import Library
from .networks import Networks
from .recorded import seconds_of
from .shapes import FRAME, GE, LEVELS, RATE, WIDTH
from .tokenizer import Tokenizer

POSITIONS = {"text_positions": 512, "audio_positions": 1280}
HALOS = {"wave_halo_frames": 10, "flow_halo_frames": 1 << 16}
"""The wave looks 1 (up-sampling) + 4.5 (blocks) + 2 frames (windows) around; the flow's phase needs all before it."""
SAMPLING = {"top_k": 3, "top_p": 1.0, "temperature": 0.25, "repetition_penalty": 1.0}
"""Measured: fewer word errors than 0.4, or 5 and 0.6; a repetition penalty would forbid silence and long vowels."""
SILENT_END = 2
"""Tokens of silence behind a prompt. With one Mandarin has more errors, with three English."""
PACE = (0.85, 1.15)
"""Bounds of any segment's tokens a phoneme, as factors of those of the recordings but for one in a hundred."""
USUAL_RUN = 0.99
"""Share of the recordings in which no token comes more often in a row than the set allows."""
LONG = 20
"""Phonemes of a sentence that has a pace."""
CLIPS = 16
"""Utterances whose mean is a voice's speaker vector."""


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


def write_networks(networks: Networks, folder: Path) -> dict[str, int]:
    """ssl, quantizer, conditioning, encoder, flow and wave. Returns their sizes for the manifest."""
    tokenizer, decoder = numpy_state(networks.tokenizer), numpy_state(networks.decoder)
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
        "samples_per_frame": FRAME,
        "frames_per_token": 2,
        **HALOS,
    }


@torch.no_grad()
def speaker_vector(style: Style, library: Library, speaker: str) -> npt.NDArray[np.float32]:
    """Mean speaker vector of a speaker's first utterances, float32 [1, GE, 1]."""
    waves = (torch.from_numpy(library.wave(index))[None] for index in library.peers[speaker][:CLIPS])
    vectors = torch.cat([style(stage_decoder.spectrogram(wave)) for wave in waves])
    mean: npt.NDArray[np.float32] = vectors.mean(0).numpy()[None, :, None]
    return mean


def timbre(style: Style, library: Library, voice: BuiltIn) -> npt.NDArray[np.float32]:
    """The conditioning of a built-in voice, float32 [1, GE, 1]."""
    own = speaker_vector(style, library, voice.speaker)
    if voice.tinge is None:
        return own
    other, share = voice.tinge
    return np.asarray((1 - share) * own + share * speaker_vector(style, library, other), np.float32)


def prompt_tokens(tokenizer: Tokenizer, test: Library, voice: BuiltIn) -> npt.NDArray[np.int64]:
    """Tokens of `PROMPT` as the voice's speaker says it, with `SILENT_END`. Raises RuntimeError where that is not
    recorded."""
    for index, item in enumerate(test.items):
        if item.row.speaker == voice.speaker and item.row.text == PROMPT:
            wave, mel = test.wave(index, parity.LISTENING), LogMel(parity.LISTENING)
            found = stage_tokenizer.tokens(tokenizer, mel, wave, "cpu")
            spoken = len(found) - len(list(next(groupby(found[::-1]))[1]))
            return found[: spoken + SILENT_END]
    raise RuntimeError(f"{voice.speaker} has not said the prompt; run the stages speech and data")


def write_voices(folder: Path, cast: Cast, networks: Networks, library: Library, test: Library) -> list[str]:
    """Built-in voices, each in its own timbre and all in the default's manner, in which the GPT is understood best.
    Returns their ids."""
    segments = TextFrontEnd().segments(PROMPT, "en", split="cut0")
    phonemes = np.concatenate([segment.phoneme_ids for segment in segments])
    prompt = prompt_tokens(networks.tokenizer, test, cast.voices[0])
    for voice in cast.voices:
        home = folder / "voices" / voice.id
        home.mkdir(parents=True)
        card = {"id": voice.id, "name": voice.name, "language": "en", "transcript": PROMPT, "licence": cast.licence}
        (home / "voice.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        conditioning = timbre(networks.decoder.style, library, voice)
        np.savez(home / "features.npz", prompt_tokens=prompt, prompt_phoneme_ids=phonemes, conditioning=conditioning)
    return [voice.id for voice in cast.voices]


def pace(library: Library) -> tuple[float, float]:
    """Fewest and most tokens a phoneme that a segment may have."""
    rows = [item.row for item in library.items if len(item.row.phonemes) >= LONG]
    paces = [row.seconds * 25 / len(row.phonemes) for row in rows]
    fewest, most = np.quantile(paces, (0.005, 0.995))
    return round(float(fewest) * PACE[0], 2), round(float(most) * PACE[1], 2)


def longest_run(tokens: Sequence[npt.NDArray[np.int64]]) -> int:
    """Equal tokens in a row in the recordings, but for the rare longer ones: a GPT that stays in a silence is drawn out
    of it."""
    longest = [max(len(list(group)) for _, group in groupby(row.tolist())) for row in tokens if len(row)]
    return int(np.quantile(longest, USUAL_RUN, method="inverted_cdf"))


def facts(library: Library, cast: Cast, sizes: dict[str, int], voices: list[str]) -> dict[str, object]:
    """What the manifest says."""
    fewest, most = pace(library)
    return {
        "format": 1,
        "name": "starter",
        "version": "2",
        "family": "starter",
        "precision": "fp32",
        "sample_rate": RATE,
        "languages": sorted({item.row.language for item in library.items}),
        "licence": cast.licence,
        "sizes": sizes,
        "sampling": SAMPLING,
        "min_tokens_per_phoneme": fewest,
        "max_tokens_per_phoneme": most,
        "longest_run": longest_run(stage_tokenizer.read(library.items)),
        "join_sentences": False,  # of two in one prompt it swallows one: docs/streaming.md
        "close_clauses": True,  # it was trained on whole sentences and babbles behind a final comma
        "own_prompts": False,  # of an enrolled voice's own prompt it understands half
        "eight_bits": False,  # by tools/flavours: 6.7 instead of 5.0 % word errors
        "words_limit": 0.93,  # by tools/measure_consent
        "default_voice": voices[0],
        "voices": voices,
    }


def write_seconds(test: Library, out: Path) -> None:
    """How long the teacher takes for each sentence of the test, beside the set."""
    seconds = {item.row.text: round(item.row.seconds, 3) for item in test.items if item.row.text != PROMPT}
    with replacing(seconds_of(out)) as beside:
        beside.write_text(json.dumps(seconds, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run(work: Path, out: Path) -> None:
    """Writes the set under a temporary name, proves that it computes what the networks compute, and renames it."""
    networks = Networks.restore(work)
    library, test = Library.read(work / "speech"), Library.read(work / "test")
    cast = cast_of(library.peers)
    checkpoint = work / "gpt.ckpt"
    write_checkpoint(networks.gpt.model, checkpoint, networks.gpt.model.sizes.heads)
    with staged(out, replace=True) as staging:
        sizes = {**write_gpt(checkpoint, staging), **write_networks(networks, staging)}
        voices = write_voices(staging, cast, networks, library, test)
        shutil.copyfile(cast.notice, staging / "NOTICE.md")
        for licence in cast.licences:
            shutil.copyfile(licence, staging / licence.name)
        for line in parity.report(networks, test, staging):
            print(line, flush=True)
        model_set.write_manifest(staging, facts(library, cast, sizes, voices))
        total = sum(path.stat().st_size for path in staging.glob("*.onnx"))
        print(f"graphs: {total / 1e6:.1f} MB", flush=True)
    write_seconds(test, out)
