"""Copies the small golden parts that the tests need: python tests/convert/pick_goldens.py GOLDEN_FOLDER"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
# Part -> beginnings of the names of its arrays; the rest would only say the same again.
PICKED: dict[str, tuple[str, ...]] = {
    "functions": ("s0", "s1", "s2", "s3", "sola", "post"),
    "spec": ("loud", "from44k"),
    "t2s_v2_small": ("g0", "g16.phones", "g16.prompt", "g16.greedy", "noprompt"),
    "sovits_v2_small": ("d", "latent", "stream"),
    "sovits_v2Pro_small": ("d1", "d2", "latent"),
    "sovits_v2ProPlus_small": ("d0",),
    "hubert_small": ("w0",),
    "bert_small": ("t",),
    "eres2netv2_small": ("a1",),
}


def main(source: Path) -> None:
    cases = json.loads((source / "cases.json").read_text(encoding="utf-8"))
    for folder in ("arrays", "manifests"):
        (DATA / folder).mkdir(parents=True, exist_ok=True)
    parts = {}
    for part, beginnings in PICKED.items():
        with np.load(source / "arrays" / f"{part}.npz") as stored:
            arrays = {name: stored[name] for name in stored.files if name.startswith(beginnings)}
        np.savez_compressed(DATA / "arrays" / f"{part}.npz", **arrays)
        kept = {name.split(".")[0] for name in arrays} | {"refs"}
        whole = cases["parts"][part]
        parts[part] = {k: v for k, v in whole.items() if not isinstance(v, dict) or k in kept or "inputs" not in v}
        manifest = source / "manifests" / f"{part}.json"
        if manifest.exists():
            shutil.copyfile(manifest, DATA / "manifests" / manifest.name)
    text = json.dumps({"seed": cases["seed"], "parts": parts}, indent=1)
    (DATA / "cases.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
