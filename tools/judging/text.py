"""Scores the text front end against recorded phonemes, per file, language and category. Knows the recordings' format
only.

    tools/parity_text DIR [--normalized] [--split] [--only FILE] [--worst N] [--json]

DIR holds *.jsonl with `id, lang, cat, text, norm_text, phones, phone_ids, word2ph, segments, caveats`. A record
without caveats is a gate record: a fair target for an exact match. PER is edit distance over reference length. Files
of whole Mandarin clauses (`zh_direct`) are normalized by the Mandarin module without the language splitter; `--split`
sends them through it. Segment and language-splitter recordings are scored exactly.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.language_runs import language_runs
from edge_tts.text.languages import load_language
from edge_tts.text.symbols import to_ids
from edge_tts.text.upstream_cuts import CUTS, collapse_marks, cut, guard_first_clause, pieces_of
from edge_tts.values import Run

Record = dict[str, Any]
DIRECT = "zh_direct"
DEFAULTS = {"default_none": "auto", "default_zh": "all_zh"}


def edits(a: list[str], b: list[str]) -> int:
    """Edit distance of two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def speak(front: TextFrontEnd, record: Record, direct: bool, normalized: bool) -> list[Run]:
    """The runs of a record, from its text or its normalized text."""
    if direct and not normalized:
        module = load_language("zh")
        spoken = module.normalize(record["text"])
        return list(front.runs(spoken, "zh", normalized=True)) if spoken.strip() else []
    return list(front.runs(record["norm_text" if normalized else "text"], record["lang"], normalized=normalized))


def score(front: TextFrontEnd, path: Path, normalized: bool, split: bool) -> list[Record]:
    """One row per record: errors, length, exactness, gate or not."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if not record.get("phones"):
            continue
        row = {"id": record["id"], "file": path.stem, "lang": record["lang"], "cat": record.get("cat", ""),
               "gate": not record.get("caveats"), "text": record["text"], "want": record["phones"]}  # fmt: skip
        try:
            runs = speak(front, record, path.stem == DIRECT and not split, normalized)
        except TextError as e:
            rows.append(row | {"error": str(e), "errors": len(record["phones"]), "got": [], "said": ""})
            continue
        got = [p for run in runs for p in run.phonemes]
        aligned = all(run.word2ph is None or sum(run.word2ph) == len(run.phonemes) for run in runs)
        ids = list(map(int, to_ids(got))) == record["phone_ids"] or got != record["phones"]
        rows.append(row | {"errors": edits(got, record["phones"]), "got": got, "aligned": aligned and ids,
                           "said": " ".join(run.normalized for run in runs)})  # fmt: skip
    return rows


def summary(rows: list[Record]) -> Record:
    """Exact share and phone error rate of some rows."""
    length = sum(len(r["want"]) for r in rows)
    exact = sum(r["errors"] == 0 for r in rows)
    return {"records": len(rows), "exact": exact, "exact_share": round(exact / max(len(rows), 1), 4),
            "per": round(sum(r["errors"] for r in rows) / max(length, 1), 5)}  # fmt: skip


def exact_files(folder: Path) -> dict[str, Record]:
    """Recordings of cutting and of the language splitter: how many are exactly equal."""
    found: dict[str, Record] = {}
    for line in _lines(folder / "segmentation.jsonl"):
        record = json.loads(line)
        mark = "." if record["lang"] == "en" else "。"
        for method in CUTS:
            text = guard_first_clause(collapse_marks(record["text"]), mark)
            pieces = pieces_of(cut(text, method), mark)
            same = cut(record["text"], method) == record["raw"].get(method) and pieces == (
                record["pre_seg"].get(method) or []
            )
            _count(found, f"segmentation {method}", same)
    for line in _lines(folder / "lang_segments.jsonl"):
        record = json.loads(line)
        for key, option in DEFAULTS.items():
            same = [list(run) for run in language_runs(record["text"], option)] == record[key]
            _count(found, f"lang_segments {key}{' (sensitive)' if record['lid_sensitive'] else ''}", same)
    return found


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _count(found: dict[str, Record], key: str, same: bool) -> None:
    entry = found.setdefault(key, {"records": 0, "exact": 0})
    entry["records"] += 1
    entry["exact"] += same


def show(rows: list[Record], worst: int) -> None:
    """The tables for people."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for r in rows:
        groups[(r["file"], "")].append(r)
        groups[(r["file"], f"option {r['lang']}")].append(r)
        groups[(r["file"], r["cat"] or "-")].append(r)
    print(f"{'file':16}{'category':18}{'gate exact':>18}{'gate PER':>10}{'all exact':>18}{'all PER':>10}")
    for (file, cat), group in sorted(groups.items()):
        gate, every = summary([r for r in group if r["gate"]]), summary(group)
        print(
            f"{file:16}{cat or 'TOTAL':18}"
            f"{gate['exact']:>6} /{gate['records']:>4} {gate['exact_share']:6.1%}{gate['per']:>9.2%}"
            f"{every['exact']:>7} /{every['records']:>4} {every['exact_share']:6.1%}{every['per']:>9.2%}"
        )
    refused = {r["error"] for r in rows if "error" in r}
    print("\n".join(["", *(f"refused: {why}" for why in sorted(refused))]))
    bad = sorted(
        (r for r in rows if r["errors"] and r["gate"] and "error" not in r),
        key=lambda r: -r["errors"] / max(len(r["want"]), 1),
    )
    print(f"\nworst gate records ({min(worst, len(bad))} of {len(bad)})")
    for r in bad[:worst]:
        print(f"{r['id']} [{r['lang']}, {r['cat']}] {r['text']}\n   said {r['said']}")
        print(f"   want {' '.join(r['want'])}\n   got  {' '.join(r['got'])}")


def main() -> int:
    """Score a folder."""
    parser = argparse.ArgumentParser(
        prog="tools/parity_text", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--normalized", action="store_true", help="start from the recorded normalized text")
    parser.add_argument("--split", action="store_true", help="zh_direct goes through the language splitter too")
    parser.add_argument("--worst", type=int, default=20, help="how many of the worst gate records to list")
    parser.add_argument("--only", help="score only the file of this name")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recordings = {path.stem: path for path in sorted(options.folder.glob("*.jsonl"))}
    if not recordings or options.only not in (None, *recordings):
        parser.error(
            f"no {options.only or '*'}.jsonl in {options.folder}; there are: {', '.join(recordings) or 'none'}"
        )
    front, rows = TextFrontEnd(), []
    for name, path in recordings.items():
        if options.only in (None, name):
            rows += score(front, path, options.normalized, options.split)
    exact = exact_files(options.folder) if options.only is None else {}
    misaligned = [r["id"] for r in rows if not r.get("aligned", True)]
    if options.json:
        files = {
            f: summary([r for r in rows if r["file"] == f and r["gate"]]) for f in sorted({r["file"] for r in rows})
        }
        print(json.dumps({"gate": files, "exact": exact, "misaligned": misaligned}, ensure_ascii=False, indent=1))
    else:
        show(rows, options.worst)
        for key, entry in exact.items():
            print(f"{key:40}{entry['exact']:>5} /{entry['records']:>4}")
        print(f"word2ph or ids inconsistent: {misaligned or 'none'}")
    return 1 if misaligned else 0


if __name__ == "__main__":
    sys.exit(main())
