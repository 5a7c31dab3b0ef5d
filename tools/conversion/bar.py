"""A progress bar over the graphs of a model set. It knows their usual share of the time and nothing else."""

from __future__ import annotations

from typing import TextIO

from edge_tts.convert.model_set import Sources

# Megabytes of each graph in a full-size set: the time to write one goes with its size.
_ALWAYS = {
    "t2s_prefill.onnx": 317,
    "t2s_step.onnx": 311,
    "quantizer.onnx": 8,
    "conditioning.onnx": 86,
    "encoder.onnx": 59,
    "flow.onnx": 54,
    "wave.onnx": 135,
}
_HUBERT = {"ssl.onnx": 378}
_BERT = {"bert.onnx": 1197}
_ERES2NET = {"speaker.onnx": 183}
_WIDTH = 30


class Bar:
    """One line on a terminal, redrawn; one line per graph elsewhere."""

    def __init__(self, out: TextIO, sources: Sources, *, rounds: int = 1) -> None:
        self._out = out
        given = ((sources.hubert, _HUBERT), (sources.bert, _BERT), (sources.eres2net, _ERES2NET))
        self._shares = _ALWAYS | {graph: share for path, part in given if path for graph, share in part.items()}
        self._total = rounds * sum(self._shares.values())
        self._done = 0
        self._current = 0

    def start(self, graph: str) -> None:
        """A graph is about to be written, and the one before it is done."""
        self._done += self._current
        self._current = self._shares.get(graph, 0)
        self._draw(graph)

    def finish(self) -> None:
        """Everything is written."""
        self._done, self._current = self._total, 0
        self._draw("done")
        self.abandon()

    def abandon(self) -> None:
        """Leave the line as it is and begin a new one."""
        if self._out.isatty():
            self._out.write("\n")

    def _draw(self, label: str) -> None:
        share = min(1.0, self._done / self._total)
        filled = round(share * _WIDTH)
        line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {share:4.0%} {label:<18}"
        self._out.write(f"\r{line}" if self._out.isatty() else f"{line.rstrip()}\n")
        self._out.flush()
