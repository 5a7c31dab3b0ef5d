"""Turns upstream checkpoints into a model set: all graphs, the manifest, one rename. Nothing half-written stays.

It knows which file becomes which graph. It knows nothing about running them: a caller that wants voices in the set
computes them with its own engines and hands over a function that writes them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ModelError
from . import sovits, t2s
from .builder import Graph
from .checkpoint import TorchFile, Weights, open_torch
from .sovits_encoder import write_encoder
from .sovits_wave import SAMPLES_PER_FRAME, flow_halo_frames, wave_halo_frames, write_flow, write_wave

SAMPLE_RATE = 32000
FRAMES_PER_TOKEN = 2
LANGUAGES = ("zh", "en", "ja", "ko", "yue")
_BLOCK = 1 << 20

Progress = Callable[[str], None]
"""Called with the name of a graph file before it is written."""
VoiceWriter = Callable[[Path], Sequence[str]]
"""Given the finished graphs' folder: writes voices/ID into it and returns the ids, the default one first."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The upstream files that a set is made from."""

    gpt: Path
    sovits: Path


@dataclass(frozen=True, slots=True)
class Options:
    """What the new set is called and how it is written."""

    name: str
    version: str = "1"
    licence: str = "unknown"
    half: bool = False
    """Whether the graphs compute in float16."""
    islands: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Graph file -> nodes that stay float32 in a float16 set."""
    replace: bool = False
    """Whether an existing set of that path is replaced."""


def convert(
    sources: Sources,
    out: Path,
    options: Options,
    *,
    progress: Progress = lambda graph: None,
    voices: VoiceWriter = lambda folder: (),
) -> None:
    """Write the model set `out`.

    Raises CheckpointError for a file that cannot be converted and ModelError when `out` cannot be made; in both cases
    nothing remains of the attempt.
    """
    with _staged(out, replace=options.replace) as staging:
        maker = _Maker(staging, options, progress)
        sizes, family = _write_gpt(maker, sources.gpt), _write_sovits(maker, sources.sovits)
        ids = list(voices(staging))
        facts = {
            "format": 1,
            "name": options.name,
            "version": options.version,
            "family": family.pop("family"),
            "precision": "fp16" if options.half else "fp32",
            "sample_rate": SAMPLE_RATE,
            "languages": list(LANGUAGES),
            "licence": options.licence,
            "sizes": {**sizes, **family},
            **({"default_voice": ids[0]} if ids else {}),
            "voices": ids,
        }
        write_manifest(staging, facts)


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write manifest.json: `facts` plus the size and sha256 of every file in `folder`."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        files[path.relative_to(folder).as_posix()] = {"sha256": digest.hexdigest(), "bytes": path.stat().st_size}
    text = json.dumps({**facts, "files": files}, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


class _Maker:
    """Writes the graphs of one set into one folder."""

    def __init__(self, folder: Path, options: Options, progress: Progress) -> None:
        self._folder, self._options, self._progress = folder, options, progress

    def write(self, name: str, writer: Callable[[Graph, Weights, Any], None], weights: Weights, sizes: Any) -> None:
        """Write NAME.onnx."""
        file = f"{name}.onnx"
        self._progress(file)
        graph = Graph(name, half=self._options.half, islands=self._options.islands.get(file, frozenset()))
        writer(graph, weights, sizes)
        graph.save(self._folder / file)


def _write_gpt(maker: _Maker, path: Path) -> dict[str, Any]:
    """t2s_prefill and t2s_step; returns the manifest's sizes of the GPT."""
    with open_torch(path) as file:
        state, config = _parts(path, file)
        source = file.use(state)
        if not any(name.startswith("model.") for name in source.shapes):
            raise CheckpointError(f"{path}: not a GPT checkpoint (its parameters have no prefix 'model.')")
        weights = Weights(source, str(path), prefix="model.")
        sizes = t2s.read_sizes(weights, config)
        maker.write("t2s_prefill", t2s.write_prefill, weights, sizes)
        maker.write("t2s_step", t2s.write_step, weights, sizes)
        weights.complete()
    return {
        "t2s_layers": sizes.layers,
        "t2s_width": sizes.width,
        "t2s_heads": sizes.heads,
        "tokens": sizes.tokens,
        "phonemes": sizes.phonemes,
        "bert_width": sizes.bert_width,
        "text_positions": sizes.text_positions,
        "audio_positions": sizes.audio_positions,
    }


def _write_sovits(maker: _Maker, path: Path) -> dict[str, Any]:
    """The five graphs of SoVITS; returns the manifest's sizes of it, and the family."""
    with open_torch(path) as file:
        state, config = _parts(path, file)
        source = file.use(state)
        sovits.refuse_other_families(str(path), source)
        weights = Weights(source, str(path))
        sizes = sovits.read_sizes(weights, config)
        maker.write("quantizer", sovits.write_quantizer, weights, sizes)
        maker.write("conditioning", sovits.write_conditioning, weights, sizes)
        maker.write("encoder", write_encoder, weights, sizes)
        maker.write("flow", write_flow, weights, sizes)
        maker.write("wave", write_wave, weights, sizes)
        weights.complete(sovits.UNUSED)
        halo = wave_halo_frames(weights, sizes)
        flow_halo = flow_halo_frames(weights)
    return {
        "family": sizes.family,
        "ssl_width": sizes.ssl,
        "conditioning_width": sizes.conditioning,
        "latent_width": sizes.latent,
        "feature_width": sizes.hidden,
        "spectrogram_bins": sovits.SPECTRUM_BINS,
        "speaker_width": sovits.SPEAKER_WIDTH if sizes.pro else 0,
        "samples_per_frame": SAMPLES_PER_FRAME,
        "frames_per_token": FRAMES_PER_TOKEN,
        "wave_halo_frames": halo,
        "flow_halo_frames": flow_halo,
    }


def _parts(path: Path, file: TorchFile) -> tuple[Any, Mapping[str, Any]]:
    """Parameters and config of a GPT or SoVITS checkpoint."""
    tree = file.tree
    if not isinstance(tree, dict) or not isinstance(tree.get("weight"), dict):
        raise CheckpointError(f"{path}: not a GPT-SoVITS checkpoint (it has no entry 'weight')")
    if not isinstance(tree.get("config"), dict):
        raise CheckpointError(f"{path}: not a GPT-SoVITS checkpoint (it has no entry 'config')")
    return tree["weight"], tree["config"]


@contextmanager
def _staged(out: Path, *, replace: bool) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` by one rename, or vanishes when the body raises."""
    if out.exists() and not replace:
        raise ModelError(f"{out}: exists already; choose another name, remove it or ask for its replacement")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ModelError(f"{out}: cannot be made: {error}") from error
    try:
        yield staging
        staging.chmod(0o755)
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
            out.rename(old / out.name)
            staging.rename(out)
            shutil.rmtree(old)
        else:
            staging.rename(out)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
