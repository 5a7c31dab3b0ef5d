"""The written graphs, run by the product's own engine and speech code, give upstream's numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tools.judging import encoders, gpt, host, vocoder
from tools.judging.networks import Networks
from tools.judging.table import Table

from .golden import Goldens, manifest, tensors

Judge = Callable[[Goldens, Networks, str, Table], None]


@pytest.mark.parametrize(
    ("part", "judge", "form"),
    [
        ("t2s_v2_small", gpt.judge, {}),
        ("sovits_v2_small", vocoder.judge, {"config_form": "dict"}),
        ("sovits_v2_small", vocoder.judge, {"config_form": "hparams"}),
        ("sovits_v2Pro_small", vocoder.judge, {}),
        ("sovits_v2ProPlus_small", vocoder.judge, {}),
        ("hubert_small", encoders.judge_hubert, {}),
        ("hubert_small", encoders.judge_hubert, {"layout": "new"}),
        ("bert_small", encoders.judge_bert, {"layout": "new"}),
        ("bert_small", encoders.judge_bert, {"layout": "gamma"}),
        ("eres2netv2_small", encoders.judge_speaker, {}),
        ("functions", host.judge_functions, {}),
        ("spec", host.judge_spectrograms, {}),
    ],
)
def test_part_meets_its_tolerances(part: str, judge: Judge, form: dict[str, str], tmp_path: Path) -> None:
    """Every golden array of the part is met within the fp32 tolerance, however the checkpoint spells its names."""
    table = Table("fp32")
    with closing(Networks(folder=Goldens(**form), work=tmp_path, threads=1)) as networks:
        judge(Goldens(**form), networks, part, table)
    assert [row for row in table.rows if row.missed] == []
    assert sum(row.tolerance is not None for row in table.rows) >= 2


@pytest.mark.parametrize(("part", "judge"), [("t2s_v2_small", gpt.judge), ("sovits_v2Pro_small", vocoder.judge)])
def test_part_meets_its_tolerances_on_processors(part: str, judge: Judge, tmp_path: Path) -> None:
    """The flavour `cpu` meets the same tolerances in every comparison that the plain graphs pass."""
    tables = [Table("fp32"), Table("fp32")]
    for table, fused in zip(tables, (False, True), strict=True):
        with closing(Networks(folder=Goldens(), work=tmp_path, threads=1, fused=fused)) as networks:
            judge(Goldens(), networks, part, table)
    assert [row for row in tables[1].rows if row.missed] == []
    assert [(row.part, row.array) for row in tables[1].rows] == [(row.part, row.array) for row in tables[0].rows]


@pytest.mark.parametrize(
    ("part", "judge"),
    [("t2s_v2_small", gpt.judge), ("sovits_v2Pro_small", vocoder.judge), ("hubert_small", encoders.judge_hubert)],
)
def test_part_meets_its_tolerances_in_half(part: str, judge: Judge, tmp_path: Path) -> None:
    """Graphs written in float16, with islands where their measured ranges ask for them, meet the fp16 tolerances."""
    table = Table("fp16")
    with closing(Networks(folder=Goldens(), work=tmp_path, precision="fp16", threads=1)) as networks:
        judge(Goldens(), networks, part, table)
    assert [row for row in table.rows if row.missed] == []
    assert sum(row.tolerance is not None for row in table.rows) >= 2


def test_our_checkpoints_are_the_golden_ones() -> None:
    """The tests' own spelling of the weight rules gives the very bytes that the goldens were computed from."""
    facts = manifest("t2s_v2_small")
    digest = hashlib.sha256()
    for name, array in sorted(tensors("t2s_v2_small").items()):
        shape = ",".join(str(length) for length in array.shape)
        digest.update(f"{name}|{array.dtype.name}|{shape}|".encode())
        digest.update(hashlib.sha256(array.tobytes()).digest())
    assert digest.hexdigest() == facts["digests"]["edge-tts-golden-public-1"]


def test_our_inputs_are_the_golden_ones() -> None:
    """Every input rule gives the bytes whose hash stands beside it."""
    goldens = Goldens()
    for part in goldens.parts.values():
        for case in part.values():
            for name, entry in (case.get("inputs", {}) if isinstance(case, dict) else {}).items():
                made = goldens.input(case, name)
                if hashlib.sha256(np.ascontiguousarray(made).tobytes()).hexdigest() != entry["sha256"]:
                    raise AssertionError(json.dumps(entry))
