"""A small v2 set with random weights, made once for this folder."""

from __future__ import annotations

import pytest

from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import ModelSet
from tools.demo_model import write_untrained_set


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    out = tmp_path_factory.mktemp("sets") / "small"
    write_untrained_set(out)
    return read_model_set(out)
