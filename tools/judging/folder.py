"""A folder of goldens: cases with input rules, arrays, and the script and manifests that make checkpoints."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_tts.errors import EdgeTTSError

Array = npt.NDArray[Any]
MAKER = "make_checkpoint.py"


class GoldenError(EdgeTTSError):
    """A golden folder is incomplete or not what it says."""


class GoldenFolder:
    """`cases.json` and `arrays/` of one folder; `maker` is the folder that has make_checkpoint.py and manifests/."""

    def __init__(self, path: Path, maker: Path) -> None:
        try:
            cases = json.loads((path / "cases.json").read_text(encoding="utf-8"))
            self.seed: str = cases["seed"]
            self.parts: dict[str, Any] = cases["parts"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GoldenError(f"{path}: not a golden folder: {error!r}") from error
        self._path, self._maker = path, maker
        self._rules = _load_script(maker / MAKER)

    def arrays(self, part: str) -> dict[str, Array]:
        """All golden arrays of a part."""
        with np.load(self._path / "arrays" / f"{part}.npz", allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def input(self, case: dict[str, Any], name: str) -> Array:
        """An input of a case, remade from its rule."""
        return np.asarray(self._rules.make_input(self.seed, case["inputs"][name]["rule"]))

    def lanes(self, name: str, shape: tuple[int, ...]) -> Array:
        """The near-normal numbers of a name, for inputs that are described in words."""
        return np.asarray(self._rules.lanes(self.seed, name, shape))

    def write_checkpoint(self, model: str, out: Path) -> None:
        """Write a model's checkpoint with this folder's seed; in a process of its own, which gives its memory back."""
        command = [sys.executable, str(self._maker / MAKER), "write", model, str(out), "--seed", self.seed]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise GoldenError(f"{model}: {MAKER} failed: {done.stderr.strip()[-500:]}")


def find_maker(folder: Path, given: Path | None) -> Path:
    """The folder with make_checkpoint.py: the given one, else `folder`, else one called goldens near it or near us."""
    if given is not None:
        candidates: Iterator[Path] = iter([given])
    else:
        candidates = _nearby(folder.resolve(), Path(__file__).resolve())
    for candidate in candidates:
        if (candidate / MAKER).is_file() and (candidate / "manifests").is_dir():
            return candidate
    raise GoldenError(f"{given or folder}: no {MAKER} with manifests/ there or nearby; name its folder with --goldens")


def _nearby(*starts: Path) -> Iterator[Path]:
    yield starts[0]
    for start in starts:
        for ancestor in list(start.parents)[:-1]:
            yield ancestor / "goldens"
            yield from sorted(ancestor.glob("*/goldens"))


def _load_script(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("golden_rules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
