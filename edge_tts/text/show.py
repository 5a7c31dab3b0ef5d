"""Segments as a table, JSON and JSON lines: the formats of the `phonemes` command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.pronunciation import language_of
from edge_tts.text.symbols import to_ids
from edge_tts.text.trace import Note
from edge_tts.values import Run, Segment

Explain = Callable[[Run], Sequence[Note]]
"""`TextFrontEnd.explain`"""


def show_table(segments: Sequence[Segment], explain: Explain | None = None) -> str:
    """Per run its language, spoken text and phonemes, by character where they are aligned; what `explain` tells of it
    and how to change that."""
    lines = []
    for number, segment in enumerate(segments, 1):
        pause = "" if segment.pause_s is None else f"  (pause {segment.pause_s:g} s)"
        rate = "" if segment.rate == 1 else f"  (rate {segment.rate:g})"
        lines.append(f"{number}. {segment.text.strip()}{pause}{rate}")
        for run in segment.runs:
            lines += [f"   {run.language}  {run.normalized}", f"       {_phonemes(run)}"]
            lines += [_explained(run, note) for note in (explain(run) if explain else ())]
        lines.append(f"       ids {' '.join(map(str, segment.phoneme_ids.tolist()))}")
    return "\n".join(lines)


def _explained(run: Run, note: Note) -> str:
    told = f"{note.written} -> {note.said}: {note.why}" if note.written else f"{note.said}: {note.why}"
    if note.entry is None:
        return f"       {told}"
    word, pronunciation = (f'"{part}"' if " " in part else part for part in note.entry)
    own = "" if run.language == language_of(note.entry[0]) else f" --language {run.language}"
    return f"       {told:50}  edge-ttsd lexicon add {word} {pronunciation}{own}"


def _phonemes(run: Run) -> str:
    if run.word2ph is None:
        return " ".join(run.phonemes)
    parts, at = [], 0
    for character, count in zip(run.normalized, run.word2ph, strict=True):
        own = " ".join(run.phonemes[at : at + count])
        parts.append(f"{character}[{own}]" if count > 1 else own)
        at += count
    return " ".join(parts)


def show_json(segments: Sequence[Segment], explain: Explain | None = None) -> str:
    """A JSON array of `record`s, each with pause and rate, and what `explain` tells."""
    records = [record(s.text, s.runs) | {"pause_s": s.pause_s, "rate": s.rate} for s in segments]
    for told, s in zip(records, segments, strict=True):
        if explain is not None:
            told["explained"] = [asdict(note) for run in s.runs for note in explain(run)]
    return json.dumps(records, ensure_ascii=False, indent=1)


def record(text: str, runs: Sequence[Run]) -> dict[str, Any]:
    """One piece of text as JSON values; `word2ph` only where the piece is one aligned run."""
    phonemes = [p for run in runs for p in run.phonemes]
    return {
        "text": text,
        "norm_text": "".join(run.normalized for run in runs),
        "phones": phonemes,
        "phone_ids": to_ids(phonemes).tolist(),
        "word2ph": _list(runs[0].word2ph) if len(runs) == 1 else None,
        "segments": [
            {
                "lang": run.language,
                "text": run.text,
                "norm_text": run.normalized,
                "n_phones": len(run.phonemes),
                "word2ph": _list(run.word2ph),
            }
            for run in runs
        ],
    }


def _list(word2ph: tuple[int, ...] | None) -> list[int] | None:
    return None if word2ph is None else list(word2ph)


def show_stream(front_end: TextFrontEnd, lines: Iterable[str], *, normalized: bool) -> Iterator[str]:
    """One JSON line per line of `{"id", "text", "lang", "norm_text"?}`; texts are not cut.

    An unspeakable text gives `{"id", "error"}`. Raises TextError for any other line.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            request = _parse(line, number, normalized)
            try:
                text = request["norm_text"] if normalized else request["text"]
                answer = record(text, front_end.runs(text, request.get("lang", "auto"), normalized=normalized))
            except TextError as e:
                answer = {"error": str(e)}
            yield json.dumps({"id": request.get("id", number)} | answer, ensure_ascii=False)


def _parse(line: str, number: int, normalized: bool) -> dict[str, Any]:
    key = "norm_text" if normalized else "text"
    try:
        request = json.loads(line)
    except json.JSONDecodeError as e:
        raise TextError(f"line {number} is no JSON: {e}") from e
    if (
        not isinstance(request, dict)
        or not isinstance(request.get(key), str)
        or not isinstance(request.get("lang", ""), str)
    ):
        raise TextError(f'line {number} is no object with strings "{key}" and "lang"')
    return request
