"""The receptive fields that the manifest states are the ones that the graphs have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_tts.convert.graph_writer import GraphWriter
from edge_tts.convert.opening import Checkpoints
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine

FRAMES, MIDDLE = 90, 45
SAMPLES = 640


@pytest.fixture(scope="module")
def graphs(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Engine], Any]]:
    """flow and wave of a small v2 SoVITS, and what the converter says of them."""
    folder = tmp_path_factory.mktemp("halos")
    with Checkpoints(folder) as opener:
        _, facts = GraphWriter(folder).sovits(opener.sovits(checkpoints / "sovits_v2_small"))
    engines = {name: load_engine(folder / f"{name}.onnx", threads=1) for name in ("flow", "wave")}
    yield engines, facts
    for engine in engines.values():
        engine.close()


def reach(before: np.ndarray, after: np.ndarray) -> int:
    """Frames to either side of MIDDLE in which [.., frames] differ."""
    changed = np.flatnonzero(np.abs(before - after).reshape(-1, FRAMES).max(axis=0))
    return int(max(MIDDLE - changed.min(), changed.max() - MIDDLE))


def test_a_latent_frame_is_heard_within_the_wave_halo(graphs: tuple[dict[str, Engine], Any]) -> None:
    """Changing one latent frame changes no sample beyond the halo, and the halo is no larger than needed."""
    engines, facts = graphs
    random = np.random.default_rng(1)
    ge = random.standard_normal((1, facts["conditioning_width"], 1)).astype(np.float32)
    latent = random.standard_normal((1, facts["latent_width"], FRAMES)).astype(np.float32)
    changed = latent.copy()
    changed[:, :, MIDDLE] += 10
    heard = [engines["wave"].run({"latent": x, "ge": ge})["audio"] for x in (latent, changed)]
    frames = [audio.reshape(FRAMES, SAMPLES).T for audio in heard]
    assert facts["wave_halo_frames"] - 1 <= reach(*frames) <= facts["wave_halo_frames"]


def test_a_feature_frame_reaches_latents_within_the_flow_halo(graphs: tuple[dict[str, Engine], Any]) -> None:
    """Changing one feature frame changes no latent frame beyond the halo."""
    engines, facts = graphs
    random = np.random.default_rng(1)
    ge = random.standard_normal((1, facts["conditioning_width"], 1)).astype(np.float32)
    features = random.standard_normal((1, facts["feature_width"], FRAMES)).astype(np.float32)
    changed = features.copy()
    changed[:, :, MIDDLE] += 10
    noise = np.zeros((1, facts["latent_width"], FRAMES), np.float32)
    feeds = {"ge": ge, "noise": noise, "noise_scale": np.zeros(1, np.float32)}
    latents = [engines["flow"].run({"features": x, **feeds})["latent"] for x in (features, changed)]
    assert 0 < reach(*latents) <= facts["flow_halo_frames"]
