"""The adapter of Genie-TTS, on a package that only looks like it."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.benchmark.contender import peer_command, processes

_MANAGER = """
import onnxruntime
import numpy as np


class Port:
    def __init__(self, name):
        self.name = name


class Network:
    def __init__(self, *outputs):
        self.outputs = outputs
        self.calls = 0

    def get_inputs(self):
        return [Port(name) for name in ("y", "y_emb", "k")]

    def run(self, names, feeds):
        self.calls += 1
        return [output(feeds) for output in self.outputs]


class Model:
    T2S_ENCODER = Network(lambda f: f["ref_seq"].shape[1] + f["text_seq"].shape[1], lambda f: f["ssl_content"].shape[2])
    T2S_FIRST_STAGE_DECODER = Network(lambda f: np.zeros((1, f["prompts"] // 2), int), lambda f: f["x"], lambda f: 0)
    T2S_STAGE_DECODER = Network(
        lambda f: np.full((1, f["y"].shape[1] + 1), 1024), lambda f: f["y_emb"], lambda f: True, lambda f: f["k"] + 1
    )
    VITS = Network(lambda f: print("vocoded", f["pred_semantic"].shape, f["pred_semantic"].max(), f["text_seq"].shape))


class Manager:
    def load_character(self, name, folder, language):
        threads = onnxruntime.SessionOptions().intra_op_num_threads
        print("threads", threads, open(folder + "/t2s_encoder_fp32.onnx").read())
        return True

    def get(self, name):
        return Model


model_manager = Manager()
"""
_CONVERTER = """
import os


def convert(gpt, sovits, folder):
    os.makedirs(folder)
    open(folder + "/t2s_encoder_fp32.onnx", "w").write(f"{gpt} {sovits}")
"""
_FIRST = """
import os

assert os.path.exists(os.environ["GENIE_DATA_DIR"] + "/speaker_encoder.onnx")
"""


def package(folder: Path) -> Path:
    """The modules that the adapter takes, and the package's metadata."""
    home = folder / "genie_tts"
    (home / "Converter" / "v2").mkdir(parents=True)
    (home / "__init__.py").write_text(_FIRST)
    (home / "ModelManager.py").write_text(_MANAGER)
    (home / "Converter" / "v2" / "Converter.py").write_text(_CONVERTER)
    metadata = folder / "genie_tts-9.9.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: genie-tts\nVersion: 9.9\n")
    return folder


def test_it_speaks_the_given_numbers_of_phonemes_and_tokens(tmp_path: Path) -> None:
    """Through the peer's own converter, loader and graphs, past any end token, with as many threads as the others; what
    it has no graph for it cannot do."""
    work = tmp_path / "work"
    work.mkdir()
    command = peer_command("genie", package(tmp_path / "checkout"))
    assert command.words[0] == sys.executable
    job = {"threads": 3, "gpt": "gpt.ckpt", "sovits": "sovits.pth", "work": str(work)}
    with processes({"genie": command}, {"genie": job}) as (process,):
        assert process.started["about"].startswith("genie-tts 9.9")
        assert process.ask("tokens", seconds=5)["count"] == 124
        spoken = process.ask("speak", seconds=6, stream=True)
        assert spoken["audio_s"] == 6
        assert spoken["first"][0] < spoken["wall"]
        assert "one graph" in process.ask("wave", seconds=5)["cannot"]
    log = (work / "genie.log").read_text()
    assert "threads 3 gpt.ckpt sovits.pth" in log
    assert "vocoded (1, 1, 125) 1023 (1, 75)" in log
    assert "vocoded (1, 1, 25) 1023 (1, 15)" in log
