"""Checkpoints of the small golden models, written once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_tts.convert.model_set import Sources

from .golden import Goldens


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint called after each small golden model."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for part, cases in Goldens().parts.items():
        if "model" in cases:
            Goldens().write_checkpoint(part, folder / part)
    return folder


@pytest.fixture(scope="session")
def v2(checkpoints: Path) -> Sources:
    """GPT and SoVITS of the v2 family."""
    return Sources(gpt=checkpoints / "t2s_v2_small", sovits=checkpoints / "sovits_v2_small")


@pytest.fixture(scope="session")
def whole_family(checkpoints: Path) -> Sources:
    """Every network there is, around a v2ProPlus."""
    return Sources(
        gpt=checkpoints / "t2s_v2_small",
        sovits=checkpoints / "sovits_v2ProPlus_small",
        hubert=checkpoints / "hubert_small",
        bert=checkpoints / "bert_small",
        eres2net=checkpoints / "eres2netv2_small",
    )
