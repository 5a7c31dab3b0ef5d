"""Makes float16 sets: writes the float32 graphs first, measures their ranges, then writes what float16 can hold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_tts.convert.graph_writer import GraphWriter, Progress
from edge_tts.convert.model_set import Options, Sources, VoiceWriter, convert, write_all
from edge_tts.convert.staging import check_place
from edge_tts.errors import ModelError

from .ranges import islands_of, measure, write_report

REPORT = "ranges.json"


def convert_half(
    sources: Sources, out: Path, options: Options, *, progress: Progress, voices: VoiceWriter
) -> Sequence[str]:
    """As `convert`, in float16; the report of ranges travels in the set. Returns remarks, those on ranges among them.

    Float32 graphs lie beside `out` meanwhile and need twice the space of the result.
    """
    check_place(out, replace=options.replace)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.fp32.", dir=out.parent) as folder:
            writer = GraphWriter(Path(folder), exposed=True, progress=progress)
            write_all(writer, sources)
            progress("measuring ranges")
            ranges = measure(Path(folder), writer.nodes)
    except OSError as error:
        raise ModelError(f"{out}: cannot be made: {error}") from error

    def finish(staging: Path) -> Sequence[str]:
        write_report(ranges, staging / REPORT)
        return voices(staging)

    half = replace(options, half=True, islands=islands_of(ranges))
    remarks = list(convert(sources, out, half, progress=progress, voices=finish))
    for graph, measured in sorted(ranges.items()):
        node, largest = max(measured.largest.items(), key=lambda item: item[1])
        islands = f"{len(measured.islands)} nodes stay float32" if measured.islands else "all float16"
        remarks.append(f"{graph}: largest value {largest:.4g} at {node}; {islands}")
    return remarks
