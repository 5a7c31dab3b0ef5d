"""The page of a GPU day, in Markdown, for docs/tensorrt.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.gpu.report import Report

TITLES = {
    "machine": "The machine",
    "memory": "engine/tensorrt/cuda.py: memory, copies, streams, captured graphs, errors",
    "sets": "Model sets with random weights",
    "provider": "ONNX Runtime's CUDA provider: float16 graphs against float32 on the processor",
    "engines": "TensorRT: built, judged by golden phrases, timed",
    "training": "Training steps of the starter",
}


def as_page(reports: Sequence[Report], notes: Sequence[str]) -> str:
    return "\n".join(_lines(reports, notes)) + "\n"


def _lines(reports: Sequence[Report], notes: Sequence[str]) -> Iterator[str]:
    yield "# A GPU day\n"
    yield "| part | status | seconds | why |"
    yield "| --- | --- | --- | --- |"
    for report in reports:
        yield f"| {report.part} | {report.status} | {report.seconds:.0f} | {_cell(report.reason)} |"
    for note in notes:
        yield f"\n{note}"
    for report in reports:
        if report.rows or report.log:
            yield f"\n## {TITLES.get(report.part, report.part)}\n"
        if report.rows:
            yield "| | result | |"
            yield "| --- | --- | --- |"
            yield from (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in report.rows)
        if report.log:
            yield "\nWarnings:\n"
            yield from (f"    {line}" for line in report.log)


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
