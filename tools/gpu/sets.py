"""A v2ProPlus at full size with random weights, in float32 and float16, written by our own converter."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edge_tts.convert.model_set import write_manifest
from edge_tts.convert.sovits import SovitsSizes
from edge_tts.convert.t2s import T2SSizes
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import ModelSet, ModelSizes
from tests.engine.small_set import RandomWeights, write_graphs
from tools.gpu.report import WORK, Report, Skipped, read_report

PRECISIONS = ("fp32", "fp16")
GPT = T2SSizes(layers=24, width=512, heads=16, feed_forward=2048, tokens=1025, phonemes=732, bert_width=1024)
SOVITS = SovitsSizes(
    family="v2ProPlus",
    conditioning=1024,
    hidden=192,
    latent=192,
    codes=1024,
    ssl=768,
    heads=2,
    upsample_rates=(10, 8, 2, 2, 2),
    block_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
)
SIZES = ModelSizes(
    tokens=1025,
    bert_width=1024,
    conditioning_width=1024,
    latent_width=192,
    samples_per_frame=640,
    frames_per_token=2,
    wave_halo_frames=11,
    speaker_width=20480,
    text_positions=GPT.text_positions,
    audio_positions=GPT.audio_positions,
)
_BLOCKS = (3, 7, 11)


class FullWeights(RandomWeights):
    """The shapes of a full-size checkpoint, by default of a v2ProPlus."""

    def __init__(self, channels: int = 768, kernels: tuple[int, ...] = (20, 16, 8, 2, 2)) -> None:
        """`channels` and `kernels` of the generator's upsampling."""
        self._channels, self._kernels = channels, kernels

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        part = name.removeprefix("dec.").split(".")
        if name == "dec.conv_pre.weight":
            return (self._channels, 192, 7)
        if part[0] == "ups":
            stage = int(part[1])
            return (self._channels >> stage, self._channels >> stage + 1, self._kernels[stage])
        if part[0] == "resblocks":
            number = int(part[1])
            width = self._channels >> number // len(_BLOCKS) + 1
            return (width, width, _BLOCKS[number % len(_BLOCKS)])
        endings = {
            "text_embedding.weight": (732, 192),
            "conv_1.weight": (768, 192, 3),
            "emb_rel_k": (1, 9, 96),
            "weight_v": (384, 192, 5),
        }
        return next(shape for ending, shape in endings.items() if name.endswith(ending))

    def count(self, pattern: str) -> int:
        return 4 if "in_layers" in pattern else 6 if "encoder_text" in pattern else 3


def full_set(folder: Path, precision: str) -> ModelSet:
    """The set that the part `sets` has made. Raises Skipped when there is none."""
    place = folder / WORK / f"full-{precision}"
    if not (place / "manifest.json").is_file():
        raise Skipped(f"there is no full-size set in {precision}: see the part sets")
    return read_model_set(place)


def run(report: Report, folder: Path) -> None:
    device = read_report(folder / "memory.json", "memory")
    if device.status == "skipped":
        raise Skipped(f"nothing here would run them: {device.reason}")
    for precision in PRECISIONS:
        with report.check(f"v2ProPlus, {precision}"):
            out = folder / WORK / f"full-{precision}"
            out.mkdir(parents=True, exist_ok=True)
            write_graphs(out, half=precision == "fp16", gpt=GPT, sovits=SOVITS, weights=FullWeights())
            write_manifest(out, manifest(out.name, precision))
            size = sum(path.stat().st_size for path in out.iterdir())
            report.row(f"{precision}, on disk", f"{size / 1e6:.0f} MB", "GPT, encoder, flow and wave")


def manifest(name: str, precision: str) -> dict[str, object]:
    """What the set says of itself; random networks find no end, so its segments are ended by their text."""
    return {
        "format": 1,
        "name": name,
        "version": "1",
        "family": SOVITS.family,
        "precision": precision,
        "sample_rate": 32000,
        "languages": ["en"],
        "licence": "random numbers; free of rights",
        "sizes": asdict(SIZES),
        "voices": [],
        "max_tokens_per_phoneme": 2.5,
    }
