"""A small model set with made-up weights: the whole path runs, but what it says is noise. For demo and tests."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from edge_tts.audio.wave import WavFile
from edge_tts.convert.model_set import Options, Sources, convert
from tests.convert.golden import Goldens
from tests.convert.rules import sound
from tools.conversion.voice import VoiceFrom

LICENCE = "random numbers; free of rights"


def write_untrained_set(out: Path) -> None:
    """Write the small golden GPT-SoVITS v2 checkpoints in upstream's format and convert them, as tools/convert does."""
    goldens = Goldens()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gpt, sovits, recording = folder / "gpt.ckpt", folder / "sovits.pth", folder / "reference.wav"
        goldens.write_checkpoint("t2s_v2_small", gpt)
        goldens.write_checkpoint("sovits_v2_small", sovits)
        with WavFile(path=recording, sample_rate=32000) as file:
            file.write(sound("untrained", "reference", 3.2, 32000, 0.5))
        options = Options(name=out.name, licence=LICENCE, replace=True)
        convert(Sources(gpt=gpt, sovits=sovits), out, options, voices=VoiceFrom(recording))


if __name__ == "__main__":
    write_untrained_set(Path(sys.argv[1]))
