"""The golden parts that ship with the tests, in the form that the judges of `tools/parity` take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .rules import Array, lanes, make_input, make_tensor
from .torch_files import hparams, write_safetensors, write_torch

DATA = Path(__file__).parent / "data"


class Goldens:
    """Small golden parts, with checkpoints written on demand; the same methods as the parity tool's golden folder.

    `layout` picks a spelling of parameter names and a container for transformers folders (old, new, gamma);
    `config_form` picks how a SoVITS config is pickled (dict, hparams), by default as upstream does for the family.
    """

    def __init__(self, *, layout: str = "old", config_form: str | None = None) -> None:
        cases = json.loads((DATA / "cases.json").read_text(encoding="utf-8"))
        self.seed: str = cases["seed"]
        self.parts: dict[str, Any] = cases["parts"]
        self._layout, self._config_form = layout, config_form

    def arrays(self, part: str) -> dict[str, Array]:
        with np.load(DATA / "arrays" / f"{part}.npz") as stored:
            return {name: stored[name] for name in stored.files}

    def input(self, case: Mapping[str, Any], name: str) -> Array:
        return make_input(self.seed, case["inputs"][name]["rule"])

    def lanes(self, name: str, shape: tuple[int, ...]) -> Array:
        return lanes(self.seed, name, shape)

    def write_checkpoint(self, model: str, out: Path) -> None:
        write_checkpoint(model, out, tensors(model, self.seed), layout=self._layout, config_form=self._config_form)


def manifest(model: str) -> dict[str, Any]:
    """File format, config and rows of parameters of a golden model."""
    text = (DATA / "manifests" / f"{model}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def tensors(model: str, seed: str = "edge-tts-golden-public-1") -> dict[str, Array]:
    """All parameters of a golden model; the mapping may be changed, the arrays may not."""
    return dict(_tensors(model, seed))


@lru_cache(maxsize=3)
def _tensors(model: str, seed: str) -> dict[str, Array]:
    facts = manifest(model)
    rules = facts["rules"]
    return {
        name: make_tensor(seed, name, shape, dtype, rules[rule] if isinstance(rule, int) else rule)
        for name, shape, dtype, rule in facts["tensors"]
    }


def write_checkpoint(
    model: str, out: Path, arrays: Mapping[str, Array], *, layout: str = "old", config_form: str | None = None
) -> None:
    """A checkpoint in upstream's format for this model, with any parameters."""
    facts = manifest(model)
    if facts["kind"] == "torch_state_dict":
        write_torch(out, dict(arrays))
    elif facts["kind"] == "transformers_dir":
        _write_folder(facts, out, arrays, layout)
    else:
        form = config_form or facts["config_form"]
        config = hparams(facts["config"]) if form == "hparams" else facts["config"]
        tree = {"weight": dict(arrays), "config": config, "info": facts["info"]}
        write_torch(out, tree, head=facts["leading_bytes"])


def _write_folder(facts: Mapping[str, Any], out: Path, arrays: Mapping[str, Array], layout: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, content in facts["files"].items():
        (out / name).write_text(json.dumps(content), encoding="utf-8")
    renamed = {}
    for name, array in arrays.items():
        for old, new in facts["layouts"].get(layout, {}).get("replace", []):
            name = name.replace(old, new)
        renamed[name] = array
    if layout == "new":
        write_safetensors(out / "model.safetensors", renamed)
    else:
        write_torch(out / "pytorch_model.bin", renamed)
