"""Turns upstream checkpoints into a model set: graphs and manifest, put in place by an atomic rename."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_tts.convert.graph_writer import GraphWriter, Islands, Progress
from edge_tts.convert.staging import staged
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import CheckpointError
from edge_tts.model_folder import FORMAT, MANIFEST, unnamed_files

SAMPLE_RATE = 32000
LANGUAGES = ("zh", "en")
"""Of those that the weights were trained in, the ones that the text front end reads."""

VoiceWriter = Callable[[Path], Sequence[str]]
"""Writes voices/ID into the folder of finished graphs and returns the ids, the default first."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The upstream files of a set; HuBERT and BERT are folders."""

    gpt: Path
    sovits: Path
    hubert: Path | None = None
    """chinese-hubert-base; to make voices from recordings."""
    bert: Path | None = None
    """chinese-roberta-wwm-ext-large; for the intonation of Chinese."""
    eres2net: Path | None = None
    """ERes2NetV2; to make voices for the v2Pro families."""


@dataclass(frozen=True, slots=True)
class Options:
    """Names and precision of the new set."""

    name: str
    version: str = "1"
    licence: str = "unknown"
    half: bool = False
    """Whether graphs compute in float16."""
    islands: Islands = field(default_factory=dict)
    replace: bool = False
    """Whether an existing set gives way."""


def convert(
    sources: Sources,
    out: Path,
    options: Options,
    *,
    progress: Progress = lambda graph: None,
    voices: VoiceWriter = lambda folder: (),
) -> Sequence[str]:
    """Write the model set `out`; returns remarks on what it cannot do.

    Raises CheckpointError for a file that cannot be converted and ModelError for `out`; both leave nothing behind.
    """
    with staged(out, replace=options.replace) as staging:
        writer = GraphWriter(staging, half=options.half, islands=options.islands, progress=progress)
        family, sizes, remarks = write_all(writer, sources)
        write_manifest(staging, _facts(options, family, sizes, list(voices(staging))))
    others = unnamed_files(out)
    if others:
        remarks.append(f"{', '.join(others)} in {out} was left there; the set passes no check before it is moved away")
    return remarks


def _facts(options: Options, family: str, sizes: Mapping[str, Any], voices: Sequence[str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": options.name,
        "version": options.version,
        "family": family,
        "precision": "fp16" if options.half else "fp32",
        "sample_rate": SAMPLE_RATE,
        "languages": list(LANGUAGES),
        "licence": options.licence,
        "sizes": sizes,
        **({"default_voice": voices[0]} if voices else {}),
        "voices": voices,
    }


def write_all(writer: GraphWriter, sources: Sources) -> tuple[str, dict[str, Any], list[str]]:
    """Write all graphs of a set; returns its family, the manifest's sizes, and remarks."""
    gpt = writer.gpt(sources.gpt)
    family, sovits = writer.sovits(sources.sovits)
    optional, remarks = _write_optional(writer, sources, {**gpt, **sovits})
    return family, {**optional, **gpt, **sovits}, remarks


def _write_optional(
    writer: GraphWriter, sources: Sources, sizes: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The networks for recordings and Chinese, and remarks on those that are not given."""
    facts: dict[str, Any] = {}
    remarks = []
    if sources.hubert is not None:
        facts |= _fitting(writer.ssl(sources.hubert), "ssl_width", sizes, sources.hubert)
    else:
        remarks.append("no HuBERT: voices cannot be made from recordings with this set")
    if sources.bert is not None:
        facts |= _fitting(writer.bert(sources.bert), "bert_width", sizes, sources.bert)
        if not facts.pop("has_vocabulary"):
            remarks.append(f"no vocabulary in {sources.bert}: its BERT cannot be used by this set")
    else:
        remarks.append("no BERT: Chinese is spoken with less intonation by this set")
    if sources.eres2net is not None:
        speaker = writer.speaker(sources.eres2net)
        if sizes["speaker_width"] not in (0, speaker["speaker_width"]):
            remarks.append(
                f"{sources.eres2net} gives {speaker['speaker_width']} values but SoVITS takes"
                f" {sizes['speaker_width']}: voices cannot be made from recordings with this set"
            )
    elif sizes["speaker_width"]:
        remarks.append("no ERes2NetV2: voices cannot be made from recordings with this set")
    return facts, remarks


def _fitting(facts: dict[str, Any], key: str, sizes: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if facts[key] != sizes[key]:
        raise CheckpointError(f"{path}: its width is {facts[key]}; the other checkpoints take {sizes[key]}")
    return facts


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write manifest.json: `facts`, and size and sha256 of every file in `folder`."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST):
        files[path.relative_to(folder).as_posix()] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    text = json.dumps({**facts, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
