"""Records the outputs of the original packages for the test recordings in originals.json beside this file.

In a throw-away environment, at the root of the repository:

    pip install torch librosa webrtcvad scipy "setuptools<81" pandas tqdm requests soundfile
    pip install --no-deps resemblyzer==0.1.4 speechmos==0.0.1.1 silero-vad==6.2.3
    python tests/recordings/data/record_originals.py
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
RECORDINGS = HERE.parent.parent / "spoken"


def main() -> None:
    # resemblyzer imports a module that newer scipy no longer has; it needs it only for trimming, which is not recorded.
    sys.modules["scipy.ndimage.morphology"] = types.SimpleNamespace(binary_dilation=None)
    import torch
    from resemblyzer import VoiceEncoder, normalize_volume
    from silero_vad import load_silero_vad
    from speechmos import dnsmos

    encoder, detector, recorded = VoiceEncoder("cpu", verbose=False), load_silero_vad(onnx=True), {}
    for path in sorted(RECORDINGS.glob("*.flac")):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 16000
        wave = normalize_volume(samples, -30, increase_only=True)
        embedding, partials, _ = encoder.embed_utterance(wave, return_partials=True)
        scores = dnsmos.run(samples, 16000)
        speech = detector.audio_forward(torch.from_numpy(samples)[None], 16000)[0]
        recorded[path.stem] = {
            "slices": len(partials),
            "embedding": [round(float(x), 6) for x in embedding[::8]],
            "slices_dot": round(float(partials[0] @ partials[-1]), 6),
            "mos": {name: round(float(value), 5) for name, value in scores.items()},
            "speech": [round(float(x), 4) for x in np.asarray(speech)],
        }
    (HERE / "originals.json").write_text(json.dumps(recorded, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
