"""Writes the graphs of upstream checkpoints into a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_tts.convert import bert, eres2net, hubert, sovits, t2s
from edge_tts.convert.builder import Graph, Node
from edge_tts.convert.checkpoint import Source, Weights, open_folder
from edge_tts.convert.module import Module
from edge_tts.convert.sovits_encoder import write_encoder
from edge_tts.convert.sovits_wave import SAMPLES_PER_FRAME, flow_halo_frames, wave_halo_frames, write_flow, write_wave
from edge_tts.convert.torch_file import TorchFile, open_torch
from edge_tts.errors import CheckpointError

_FRAMES_PER_TOKEN = 2

Progress = Callable[[str], None]
"""Called with the name of a graph file, before it is written."""
Islands = Mapping[str, frozenset[str]]
"""Graph file -> nodes that stay float32 in a float16 set."""


class GraphWriter:
    """Writes NAME.onnx files into `folder`; `exposed` as in `Graph`.

    Each method reads one checkpoint and returns its sizes for the manifest. Raises CheckpointError for damaged, hostile
    or unsupported files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        half: bool = False,
        islands: Islands | None = None,
        exposed: bool = False,
        progress: Progress = lambda graph: None,
    ) -> None:
        self._folder, self._half, self._exposed, self._progress = folder, half, exposed, progress
        self._islands: Islands = islands or {}
        self.nodes: dict[str, dict[str, Node]] = {}
        """Of every graph file written, `Graph.nodes`."""

    def gpt(self, path: Path) -> dict[str, Any]:
        """t2s_prefill and t2s_step from a `.ckpt` file of the GPT."""
        with open_torch(path) as file:
            source, config = _parts(path, file)
            if not any(name.startswith("model.") for name in source.shapes):
                raise CheckpointError(f"{path}: not a GPT checkpoint (its parameters have no prefix 'model.')")
            weights = Weights(source, str(path), prefix="model.")
            sizes = t2s.read_sizes(weights, config)
            self._write("t2s_prefill", t2s.write_prefill, weights, sizes)
            self._write("t2s_step", t2s.write_step, weights, sizes)
            weights.complete()
        return sizes.facts

    def sovits(self, path: Path) -> tuple[sovits.Family, dict[str, Any]]:
        """quantizer, conditioning, encoder, flow and wave from a `.pth` file of SoVITS; returns its family too."""
        with open_torch(path) as file:
            source, config = _parts(path, file)
            sovits.refuse_other_families(str(path), source)
            weights = Weights(source, str(path))
            sizes = sovits.read_sizes(weights, config)
            self._write("quantizer", sovits.write_quantizer, weights, sizes)
            self._write("conditioning", sovits.write_conditioning, weights, sizes)
            self._write("encoder", write_encoder, weights, sizes)
            self._write("flow", write_flow, weights, sizes)
            self._write("wave", write_wave, weights, sizes)
            weights.complete(sovits.UNUSED)
            return sizes.family, {
                **sizes.declared,
                "samples_per_frame": SAMPLES_PER_FRAME,
                "frames_per_token": _FRAMES_PER_TOKEN,
                "wave_halo_frames": wave_halo_frames(weights, sizes),
                "flow_halo_frames": flow_halo_frames(weights),
            }

    def ssl(self, folder: Path) -> dict[str, Any]:
        """ssl from the transformers folder of chinese-hubert-base."""
        config = _read_config(folder)
        with open_folder(folder) as source:
            inner = "hubert." if any(name.startswith("hubert.") for name in source.shapes) else ""
            weights = Weights(source, str(folder), prefix=inner)
            sizes = hubert.read_sizes(weights, config)
            self._write("ssl", hubert.write_hubert, weights, sizes)
            weights.complete(hubert.UNUSED)
        return {"ssl_width": sizes.width}

    def bert(self, folder: Path) -> dict[str, Any]:
        """bert and vocab.txt from the transformers folder of chinese-roberta-wwm-ext-large."""
        config = _read_config(folder)
        with open_folder(folder) as source:
            weights = Weights(source, str(folder), prefix=bert.prefix(source.shapes))
            sizes = bert.read_sizes(weights, config)
            vocabulary = bert.read_vocabulary(folder, sizes)
            self._write("bert", bert.write_bert, weights, sizes)
            weights.complete(sizes.unused)
        if vocabulary is not None:
            (self._folder / bert.VOCABULARY).write_text(vocabulary, encoding="utf-8")
        has_vocabulary = vocabulary is not None
        return {"bert_width": sizes.width, "bert_positions": sizes.positions, "has_vocabulary": has_vocabulary}

    def speaker(self, path: Path) -> dict[str, Any]:
        """speaker from the bare state dict of ERes2NetV2."""
        with open_torch(path) as file:
            weights = Weights(file.use(file.tree), str(path))
            sizes = eres2net.read_sizes(weights)
            self._write("speaker", eres2net.write_speaker, weights, sizes)
            weights.complete(eres2net.UNUSED)
        return {"speaker_width": sizes.embedding}

    def _write(self, name: str, write: Callable[[Module, Any], None], weights: Weights, sizes: Any) -> None:
        file = f"{name}.onnx"
        self._progress(file)
        graph = Graph(
            name,
            half=self._half,
            islands=self._islands.get(file, frozenset()),
            exposed=self._exposed,
            spool=self._folder / f".{name}.weights",
        )
        with closing(graph):
            write(Module(graph, weights), sizes)
            graph.save(self._folder / file)
        self.nodes[file] = graph.nodes


def _read_config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{folder}: config.json cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{folder}: config.json holds no mapping")
    return config


def _parts(path: Path, file: TorchFile) -> tuple[Source, Mapping[str, Any]]:
    for entry in ("weight", "config"):
        if not isinstance(file.tree, dict) or not isinstance(file.tree.get(entry), dict):
            raise CheckpointError(f"{path}: not a GPT-SoVITS checkpoint (it has no entry '{entry}')")
    return file.use(file.tree["weight"]), file.tree["config"]
