"""Writes the graphs of upstream checkpoints into a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_tts.convert import bert, eres2net, hubert, sovits, t2s
from edge_tts.convert.builder import Graph, Node
from edge_tts.convert.module import Module
from edge_tts.convert.opening import Opened
from edge_tts.convert.sovits_encoder import write_encoder
from edge_tts.convert.sovits_wave import SAMPLES_PER_FRAME, flow_halo_frames, wave_halo_frames, write_flow, write_wave
from edge_tts.errors import CheckpointError

_FRAMES_PER_TOKEN = 2

Progress = Callable[[str], None]
"""Called with the name of a graph file, before it is written."""
Islands = Mapping[str, frozenset[str]]
"""Graph file -> nodes that stay float32 in a float16 set."""


class GraphWriter:
    """Writes NAME.onnx files into `folder`; `exposed` as in `Graph`.

    Each method writes one network and returns its sizes for the manifest. Raises CheckpointError for a parameter that
    is missing, misshapen, not finite or unexpected, ModelError for one that float16 cannot hold, OSError.
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

    def gpt(self, opened: Opened[t2s.T2SSizes]) -> dict[str, Any]:
        """t2s_prefill and t2s_step."""
        self._write("t2s_prefill", t2s.write_prefill, opened)
        self._write("t2s_step", t2s.write_step, opened)
        opened.weights.complete()
        return opened.sizes.facts

    def sovits(self, opened: Opened[sovits.SovitsSizes]) -> tuple[sovits.Family, dict[str, Any]]:
        """quantizer, conditioning, encoder, flow and wave; returns the family too."""
        weights, sizes = opened.weights, opened.sizes
        self._write("quantizer", sovits.write_quantizer, opened)
        self._write("conditioning", sovits.write_conditioning, opened)
        self._write("encoder", write_encoder, opened)
        self._write("flow", write_flow, opened)
        self._write("wave", write_wave, opened)
        weights.complete(sovits.UNUSED)
        return sizes.family, {
            **sizes.declared,
            "samples_per_frame": SAMPLES_PER_FRAME,
            "frames_per_token": _FRAMES_PER_TOKEN,
            "wave_halo_frames": wave_halo_frames(weights, sizes),
            "flow_halo_frames": flow_halo_frames(weights),
        }

    def ssl(self, opened: Opened[hubert.HubertSizes]) -> dict[str, Any]:
        """ssl."""
        self._write("ssl", hubert.write_hubert, opened)
        opened.weights.complete(hubert.UNUSED)
        return {"ssl_width": opened.sizes.width}

    def bert(self, opened: Opened[bert.BertSizes]) -> dict[str, Any]:
        """bert, and vocab.txt if there is a vocabulary."""
        sizes = opened.sizes
        self._write("bert", bert.write_bert, opened)
        opened.weights.complete(sizes.unused)
        if sizes.tokens is not None:
            (self._folder / bert.VOCABULARY).write_text("\n".join(sizes.tokens) + "\n", encoding="utf-8")
        has_vocabulary = sizes.tokens is not None
        return {"bert_width": sizes.width, "bert_positions": sizes.positions, "has_vocabulary": has_vocabulary}

    def speaker(self, opened: Opened[eres2net.SpeakerSizes]) -> dict[str, Any]:
        """speaker."""
        self._write("speaker", eres2net.write_speaker, opened)
        opened.weights.complete(eres2net.UNUSED)
        return {"speaker_width": opened.sizes.embedding}

    def _write(self, name: str, write: Callable[[Module, Any], None], opened: Opened[Any]) -> None:
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
            try:
                write(Module(graph, opened.weights), opened.sizes)
                graph.save(self._folder / file)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # sizes that no network has
                raise CheckpointError(f"{opened.weights.label}: makes no {name}: {error!r}") from error
            except MemoryError as error:
                raise CheckpointError(f"{opened.weights.label}: there is not enough memory to write {name}") from error
        self.nodes[file] = graph.nodes
