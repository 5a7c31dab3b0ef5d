"""The parity tool runs by itself and scores a folder of recorded sentences, gate records and all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.show import record

TOOL = Path(__file__).resolve().parents[2] / "tools" / "parity_text"


def test_a_folder_is_scored(tmp_path: Path) -> None:
    """A sentence that is said as recorded counts as exact; another counts its errors, and only without caveats."""
    front_end = TextFrontEnd()
    rows = []
    for number, (text, caveats) in enumerate(
        [("The light is on.", []), ("A red door.", []), ("Odd one.", ["oov-model"])]
    ):
        row = record(text, front_end.runs(text, "en")) | {
            "id": str(number),
            "lang": "en",
            "cat": "home",
            "caveats": caveats,
        }
        if number:
            row["phones"] = [*row["phones"], "AH0"]
        rows.append(json.dumps(row))
    (tmp_path / "en.jsonl").write_text("\n".join(rows), encoding="utf-8")
    done = subprocess.run([sys.executable, TOOL, tmp_path, "--json"], capture_output=True, text=True, check=True)
    gate = json.loads(done.stdout)["gate"]["en"]
    assert (gate["records"], gate["exact"]) == (2, 1)
    assert 0 < gate["per"] < 0.1
    done = subprocess.run([sys.executable, TOOL, tmp_path], capture_output=True, text=True, check=True)
    assert "A red door." in done.stdout
    assert "Odd one." not in done.stdout


def test_a_name_that_no_file_has_is_an_error(tmp_path: Path) -> None:
    """A misspelt file name ends with 2 and names the files there are, instead of an empty table that looks fine."""
    for name in ("en", "zh"):
        (tmp_path / f"{name}.jsonl").write_text("", encoding="utf-8")
    done = subprocess.run([sys.executable, TOOL, tmp_path, "--only", "english"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there are: en, zh" in done.stderr
    assert not done.stdout
    done = subprocess.run([sys.executable, TOOL, tmp_path / "nowhere"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there are: none" in done.stderr
