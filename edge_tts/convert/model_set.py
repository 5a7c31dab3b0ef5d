"""Turns upstream checkpoints into a model set: graphs and manifest, put in place by an atomic rename."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts.convert import bert, eres2net, hubert, sovits, t2s
from edge_tts.convert.builder import EXTERNAL_ABOVE_BYTES
from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.convert.graph_writer import GraphWriter, Islands, Progress
from edge_tts.convert.opening import Checkpoints, Opened
from edge_tts.convert.staging import require_space, staged
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import CheckpointError
from edge_tts.model_folder import (
    CPU_FLAVOUR,
    FORMAT,
    MANIFEST,
    MAX_TOKENS_PER_PHONEME,
    MIN_TOKENS_PER_PHONEME,
    unnamed_files,
)

SAMPLE_RATE = 32000
LANGUAGES = ("zh", "en")
"""Of those that the weights were trained in, the ones that the text front end reads."""

Measure = Callable[["OpenedSet", Path], Islands]
"""Finds which nodes of a float16 set stay float32, from graphs that it writes into an empty folder."""
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
class OpenedSet:
    """The checkpoints of a set, each of which can be converted as far as names and sizes tell."""

    gpt: Opened[t2s.T2SSizes]
    sovits: Opened[sovits.SovitsSizes]
    hubert: Opened[hubert.HubertSizes] | None = None
    bert: Opened[bert.BertSizes] | None = None
    eres2net: Opened[eres2net.SpeakerSizes] | None = None

    @property
    def bytes(self) -> int:
        """About what writing them takes on the disk, in float32: at the peak some graphs are whole, and the weights of
        one lie in its spool too. No graph of SoVITS has more than half of its weights."""
        optional = [opened.weights for opened in (self.hubert, self.bert, self.eres2net) if opened is not None]
        written = peak = 0
        for weights in (self.gpt.weights, self.gpt.weights, self.sovits.weights, *optional):
            size = 4 * weights.elements
            spool = 0 if size > EXTERNAL_ABOVE_BYTES else size // 2 if weights is self.sovits.weights else size
            written += size
            peak = max(peak, written + spool)
        return peak


@dataclass(frozen=True, slots=True)
class Options:
    """Names and precision of the new set."""

    name: str
    version: str = "1"
    licence: str = "unknown"
    half: bool = False
    """Whether graphs compute in float16."""
    fused: bool = False
    """Whether the set brings the flavour `cpu` too."""
    replace: bool = False
    """Whether an existing set gives way."""


def convert(
    sources: Sources,
    out: Path,
    options: Options,
    *,
    progress: Progress = lambda graph: None,
    voices: VoiceWriter = lambda folder: (),
    measure: Measure = lambda networks, folder: {},
) -> Sequence[str]:
    """Write the model set `out`; returns remarks on what it cannot do.

    All checkpoints are looked at before anything is written. Raises CheckpointError for a file that cannot be converted
    and ModelError for `out`; both leave nothing behind.
    """
    with staged(out, replace=options.replace) as staging, Checkpoints(staging.parent) as checkpoints:
        progress("looking at files")
        networks = open_all(checkpoints, sources)
        require_space(staging, networks.bytes * (2 if options.fused else 1))
        with tempfile.TemporaryDirectory(dir=staging.parent) as folder:
            islands = measure(networks, Path(folder))
        writer = GraphWriter(staging, half=options.half, islands=islands, progress=progress)
        family, sizes, remarks = write_all(writer, networks)
        if options.fused:
            progress("graphs for processors")
            (staging / CPU_FLAVOUR).mkdir()
            write_cpu_flavour(staging, staging / CPU_FLAVOUR)
        write_manifest(staging, _facts(options, family, sizes, list(voices(staging))))
    others = unnamed_files(out.resolve())
    if others:
        remarks.append(f"{', '.join(others)} in {out} was left there; the set passes no check before it is moved away")
    return remarks


def open_all(checkpoints: Checkpoints, sources: Sources) -> OpenedSet:
    """Look at all files of a set. Raises CheckpointError, also for one whose sizes do not fit the others'."""
    gpt, vocoder = checkpoints.gpt(sources.gpt), checkpoints.sovits(sources.sovits)
    ssl = checkpoints.ssl(sources.hubert) if sources.hubert else None
    text = checkpoints.bert(sources.bert) if sources.bert else None
    if ssl and ssl.sizes.width != vocoder.sizes.ssl:
        raise _misfit(sources.hubert, ssl.sizes.width, vocoder.sizes.ssl)
    if text and text.sizes.width != gpt.sizes.bert_width:
        raise _misfit(sources.bert, text.sizes.width, gpt.sizes.bert_width)
    return OpenedSet(gpt, vocoder, ssl, text, checkpoints.speaker(sources.eres2net) if sources.eres2net else None)


def _misfit(path: Path | None, width: int, taken: int) -> CheckpointError:
    return CheckpointError(f"{path}: its width is {width}; the other checkpoints take {taken}")


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
        "min_tokens_per_phoneme": MIN_TOKENS_PER_PHONEME,
        "max_tokens_per_phoneme": round(MAX_TOKENS_PER_PHONEME, 2),
        "join_sentences": True,  # as upstream does: its weights speak very short prompts badly
        **({"default_voice": voices[0]} if voices else {}),
        "voices": voices,
        "flavours": ["plain", *([CPU_FLAVOUR] if options.fused else [])],
    }


def write_all(writer: GraphWriter, networks: OpenedSet) -> tuple[str, dict[str, Any], list[str]]:
    """Write all graphs of a set; returns its family, the manifest's sizes, and remarks."""
    gpt = writer.gpt(networks.gpt)
    family, sovits = writer.sovits(networks.sovits)
    optional, remarks = _write_optional(writer, networks, sovits["speaker_width"])
    return family, {**optional, **gpt, **sovits}, remarks


def _write_optional(writer: GraphWriter, networks: OpenedSet, speaker_width: int) -> tuple[dict[str, Any], list[str]]:
    """The networks for recordings and Chinese, and remarks on those that are not given."""
    facts: dict[str, Any] = {}
    remarks = []
    if networks.hubert is not None:
        facts |= writer.ssl(networks.hubert)
    else:
        remarks.append("no HuBERT: voices cannot be made from recordings with this set")
    if networks.bert is not None:
        facts |= writer.bert(networks.bert)
        if not facts.pop("has_vocabulary"):
            remarks.append(f"no vocabulary in {networks.bert.weights.label}: its BERT cannot be used by this set")
    else:
        remarks.append("no BERT: Chinese is spoken with less intonation by this set")
    if networks.eres2net is not None:
        speaker = writer.speaker(networks.eres2net)
        if speaker_width not in (0, speaker["speaker_width"]):
            remarks.append(
                f"{networks.eres2net.weights.label} gives {speaker['speaker_width']} values but SoVITS takes"
                f" {speaker_width}: voices cannot be made from recordings with this set"
            )
    elif speaker_width:
        remarks.append("no ERes2NetV2: voices cannot be made from recordings with this set")
    return facts, remarks


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write manifest.json: `facts`, and size and sha256 of every file in `folder`."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST):
        files[path.relative_to(folder).as_posix()] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    text = json.dumps({**facts, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
