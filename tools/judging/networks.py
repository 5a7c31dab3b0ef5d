"""The networks of a golden folder: written from its seed, converted and loaded as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.convert.graph_writer import GraphWriter
from edge_tts.convert.opening import Checkpoints
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.model_folder import CPU_FLAVOUR
from edge_tts.values import ModelSizes
from tools.conversion.ranges import islands_of, measure

from .folder import GoldenFolder
from .table import Precision


class Networks:
    """Checkpoints, graphs and engines below `work`. What is there is used again. Closing frees the engines."""

    def __init__(
        self,
        *,
        folder: GoldenFolder,
        work: Path,
        precision: Precision = "fp32",
        threads: int = 0,
        fused: bool = False,
    ) -> None:
        """`fused`: graphs of the flavour `cpu` where there are such."""
        self._folder, self._work, self._precision, self._threads = folder, work, precision, threads
        self.fused = fused
        self._stack = ExitStack()
        self._facts: dict[str, dict[str, Any]] = {}
        self._engines: dict[tuple[str, str], Engine] = {}

    def engine(self, model: str, graph: str) -> Engine:
        """The loaded graph of a golden model."""
        key = (model, graph)
        if key not in self._engines:
            self.retained(model)
            places = [self._folder_of(model) / CPU_FLAVOUR] if self.fused else []
            paths = [place / f"{graph}.onnx" for place in (*places, self._folder_of(model))]
            engine = load_engine(next((path for path in paths if path.exists()), paths[-1]), threads=self._threads)
            self._stack.callback(engine.close)
            self._engines[key] = engine
        return self._engines[key]

    def sizes(self, model: str) -> ModelSizes:
        """The sizes of a SoVITS model, as the runtime takes them."""
        facts = self.retained(model)
        names = ModelSizes.__dataclass_fields__
        return ModelSizes(**{"tokens": 1025, "bert_width": 1024, **{k: v for k, v in facts.items() if k in names}})

    def retained(self, model: str) -> Mapping[str, Any]:
        """What the converter says of a model; converts it the first time."""
        if model not in self._facts:
            checkpoint = self._work / f"{model}.checkpoint"
            if not checkpoint.exists():
                self._folder.write_checkpoint(model, checkpoint)
            graphs = self._folder_of(model)
            graphs.mkdir(exist_ok=True)
            writer = GraphWriter(graphs)
            if self._precision == "fp16":
                exposed = GraphWriter(graphs, exposed=True)
                self._convert(model, checkpoint, exposed)
                islands = islands_of(measure(graphs, exposed.nodes, threads=self._threads))
                writer = GraphWriter(graphs, half=True, islands=islands)
            self._facts[model] = self._convert(model, checkpoint, writer)
            if self.fused:
                (graphs / CPU_FLAVOUR).mkdir(exist_ok=True)
                write_cpu_flavour(graphs, graphs / CPU_FLAVOUR)
        return self._facts[model]

    def close(self) -> None:
        """Free all engines."""
        self._engines.clear()
        self._stack.close()

    def _folder_of(self, model: str) -> Path:
        return self._work / f"{model}.{self._precision}"

    def _convert(self, model: str, checkpoint: Path, writer: GraphWriter) -> dict[str, Any]:
        kind = model.split("_")[0]
        with Checkpoints(self._folder_of(model)) as checkpoints:
            if kind == "t2s":
                return writer.gpt(checkpoints.gpt(checkpoint))
            if kind == "hubert":
                return writer.ssl(checkpoints.ssl(checkpoint))
            if kind == "bert":
                return writer.bert(checkpoints.bert(checkpoint))
            if kind == "eres2netv2":
                return writer.speaker(checkpoints.speaker(checkpoint))
            family, facts = writer.sovits(checkpoints.sovits(checkpoint))
            return {"family": family, **facts}
