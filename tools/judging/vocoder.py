"""Judges SoVITS: conditioning, prompt codes, decoding at once and in chunks."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_tts.audio.features import limit_peak, spectrogram
from edge_tts.synthesis.sovits import Sovits, mean_conditioning
from edge_tts.values import FloatArray
from tools.plain_decode import change_speed, plain_decode

from .folder import Array, GoldenFolder
from .networks import Networks
from .table import Table
from .upstream import OVERLAP_SAMPLES, blend_features, join

_SHORTEST_CHUNK = 10
_SAMPLES_PER_CODE = 1280


def judge(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """All cases of a `sovits_*` part."""
    gold, cases = folder.arrays(part), folder.parts[part]
    model = cases["model"]
    sovits = Sovits(
        encoder=networks.engine(model, "encoder"),
        flow=networks.engine(model, "flow"),
        wave=networks.engine(model, "wave"),
        sizes=networks.sizes(model),
    )
    for name, case in cases.items():
        if isinstance(case, dict) and f"{name}.audio" in gold:
            _judge_decode(folder, networks, sovits, part, name, case, gold, table)
    if "latent.codes" in gold:
        feeds = {"ssl": folder.input(cases["latent"], "ssl")}
        codes = networks.engine(model, "quantizer").run(feeds)["codes"][0]
        table.compare(part, "latent.codes", "codes", codes, gold["latent.codes"])
    if "stream" in cases:
        _judge_stream(folder, networks, sovits, part, gold, table)


def _judge_decode(
    folder: GoldenFolder,
    networks: Networks,
    sovits: Sovits,
    part: str,
    name: str,
    case: dict[str, Any],
    gold: dict[str, Array],
    table: Table,
) -> None:
    ge = _conditioning(folder, networks, part, case["refs"])
    features = sovits.encode(gold[f"{name}.codes"].astype(np.int64), gold[f"{name}.phones"].astype(np.int64), ge)
    noise = folder.input(case, "noise") if "noise" in case["inputs"] else None
    features = change_speed(features, case["speed"])
    audio, latents = plain_decode(sovits, features, ge, noise=noise, noise_scale=case["noise_scale"])
    table.compare(part, f"{name}.ge", "latent", ge[0, :, 0], gold[f"{name}.ge"])
    table.compare(part, f"{name}.m_p", "latent", latents.mean[0], gold[f"{name}.m_p"])
    table.compare(part, f"{name}.logs_p", "latent", latents.log_scale[0], gold[f"{name}.logs_p"])
    table.compare(part, f"{name}.z", "latent", latents.latent[0], gold[f"{name}.z"])
    table.compare(part, f"{name}.audio", "audio", audio, gold[f"{name}.audio"])


def _judge_stream(
    folder: GoldenFolder, networks: Networks, sovits: Sovits, part: str, gold: dict[str, Array], table: Table
) -> None:
    """Chunks as upstream's streaming makes them: all codes so far, the new ones and an overlap sung."""
    case = folder.parts[part]["stream"]
    ge = _conditioning(folder, networks, part, case["refs"])
    codes = folder.input(case, "codes").astype(np.int64)
    phones = folder.input(case, "phones").astype(np.int64)
    done = 0
    before: FloatArray | None = None
    sung: FloatArray = np.zeros(0, np.float32)
    for index, count in enumerate(case["chunks"]):
        done += count
        latent = sovits.encode(codes[:done], phones, ge)
        overlap = case["overlap_length"] + max(0, _SHORTEST_CHUNK - count)
        if before is not None:
            latent = latent[:, :, -2 * (count + overlap) :]
            latent = blend_features(latent, before[:, :, -2 * overlap :])
        noise = np.zeros((1, sovits.sizes.latent_width, latent.shape[2]), np.float32)
        raw = sovits.wave(ge).push(sovits.flow(latent, ge, noise, case["noise_scale"]).latent, last=True)
        name = f"stream.chunk{index}"
        table.compare(part, f"{name}.latent", "latent", latent[0], gold[f"{name}.latent"])
        table.compare(part, f"{name}.raw", "audio", raw, gold[f"{name}.raw"])
        own = raw[-(case["overlap_length"] + count) * _SAMPLES_PER_CODE :]
        last = index == len(case["chunks"]) - 1
        emitted = own if last or before is None else join(sung, own)
        emitted = emitted if last else emitted[:-OVERLAP_SAMPLES]
        table.compare(part, f"{name}.emitted", "audio", emitted, gold[f"{name}.emitted"])
        before, sung = latent, own


def _conditioning(folder: GoldenFolder, networks: Networks, part: str, refs: list[int]) -> FloatArray:
    """ge of the listed references, averaged."""
    case = folder.parts[part]["refs"]
    engine = networks.engine(folder.parts[part]["model"], "conditioning")
    vectors = []
    for ref in refs:
        feeds = {"spectrogram": spectrogram(limit_peak(folder.input(case, f"audio{ref}")))[None]}
        if f"sv{ref}" in case["inputs"]:
            feeds["speaker"] = folder.input(case, f"sv{ref}")
        vectors.append(engine.run(feeds)["ge"])
    return mean_conditioning(vectors)
