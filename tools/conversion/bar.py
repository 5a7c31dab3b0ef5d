"""A progress bar over the graphs of a model set. It knows their usual share of the time and nothing else."""

from __future__ import annotations

from typing import TextIO

# Share of the time that writing each graph takes in a full-size set, roughly its share of the parameters.
_SHARES = {
    "t2s_prefill.onnx": 80,
    "t2s_step.onnx": 80,
    "quantizer.onnx": 3,
    "conditioning.onnx": 22,
    "encoder.onnx": 10,
    "flow.onnx": 12,
    "wave.onnx": 16,
    "ssl.onnx": 95,
    "bert.onnx": 300,
    "speaker.onnx": 20,
}
_WIDTH = 30


class Bar:
    """One line on a terminal, redrawn; one line per graph elsewhere."""

    def __init__(self, out: TextIO, graphs: tuple[str, ...] = tuple(_SHARES)[:7]) -> None:
        self._out = out
        self._total = sum(_SHARES[graph] for graph in graphs)
        self._done = 0
        self._current = 0

    def start(self, graph: str) -> None:
        """A graph is about to be written, and the one before it is done."""
        self._done += self._current
        self._current = _SHARES.get(graph, 0)
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
