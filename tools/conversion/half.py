"""Makes float16 sets: writes the float32 graphs first, measures their ranges, then writes what float16 can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_tts.convert.graph_writer import GraphWriter, Islands, Progress
from edge_tts.convert.model_set import OpenedSet, Options, Sources, VoiceWriter, convert, write_all

from .ranges import Ranges, islands_of, measure, write_report

REPORT = "ranges.json"


def convert_half(
    sources: Sources, out: Path, options: Options, *, progress: Progress, voices: VoiceWriter
) -> Sequence[str]:
    """As `convert`, in float16; the report of ranges travels in the set. Returns remarks, those on ranges among them.

    Float32 graphs lie beside `out` meanwhile and need twice the space of the result.
    """
    ranges: dict[str, Ranges] = {}

    def measured(networks: OpenedSet, folder: Path) -> Islands:
        writer = GraphWriter(folder, exposed=True, progress=progress)
        write_all(writer, networks)
        progress("measuring ranges")
        ranges.update(measure(folder, writer.nodes))
        return islands_of(ranges)

    def finish(staging: Path) -> Sequence[str]:
        write_report(ranges, staging / REPORT)
        return voices(staging)

    half = replace(options, half=True)
    remarks = list(convert(sources, out, half, progress=progress, voices=finish, measure=measured))
    for graph, found in sorted(ranges.items()):
        node, largest = max(found.largest.items(), key=lambda item: item[1])
        islands = f"{len(found.islands)} nodes stay float32" if found.islands else "all float16"
        remarks.append(f"{graph}: largest value {largest:.4g} at {node}; {islands}")
    return remarks
