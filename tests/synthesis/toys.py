"""Networks small enough to reason about: numpy functions behind the `Engine` contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.engine.onnxruntime import HostBuffer
from edge_tts.synthesis.sovits import Sovits
from edge_tts.values import FloatArray, IntArray, ModelSizes

WIDTH, TOKENS = 4, 32
SAMPLES_PER_FRAME = 8
SIZES = ModelSizes(
    tokens=TOKENS,
    bert_width=WIDTH,
    conditioning_width=1,
    latent_width=2,
    samples_per_frame=SAMPLES_PER_FRAME,
    frames_per_token=2,
    wave_halo_frames=2,
    flow_halo_frames=3,
)
CONDITIONING = np.ones((1, 1, 1), np.float32)
PHONEMES = np.array([1, 2, 3], np.int64)


class ToyEngine:
    """A function as an engine; it remembers what it was fed."""

    def __init__(
        self,
        compute: Callable[..., dict[str, Array]],
        inputs: Mapping[str, TensorSpec] | None = None,
        outputs: Mapping[str, TensorSpec] | None = None,
    ) -> None:
        self._compute = compute
        self.inputs = dict(inputs or {})
        self.outputs = dict(outputs or {})
        self.calls: list[dict[str, Array]] = []

    def empty(self, spec: TensorSpec) -> HostBuffer:
        return HostBuffer(spec, np.zeros(tuple(int(size) for size in spec.shape), spec.dtype))

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        plain = {name: feed.array if isinstance(feed, HostBuffer) else np.asarray(feed) for name, feed in feeds.items()}
        self.calls.append(plain)
        return self._compute(**plain)

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], HostBuffer]:
        results = self.run(feeds)
        kept = results.pop(keep)
        return results, HostBuffer(TensorSpec(keep, kept.shape, kept.dtype), kept)

    def close(self) -> None:
        pass


def toy_sovits(*, attention: float, gain: float = 1.0) -> Sovits:
    """A decoder with local flow and wave. With `attention` above 0 every feature also depends on all tokens given;
    `gain` makes it louder."""

    def encode(codes: IntArray, phoneme_ids: IntArray, ge: FloatArray) -> dict[str, Array]:
        frames = np.repeat(codes[0], 2).astype(np.float32)
        features = np.stack([np.sin(0.7 * frames + channel) for channel in range(WIDTH)])
        return {"features": (features + attention * np.sin(codes.sum())).astype(np.float32)[None]}

    def flow(features: FloatArray, ge: FloatArray, noise: FloatArray, noise_scale: FloatArray) -> dict[str, Array]:
        mean = _smooth(features[0, :2], SIZES.flow_halo_frames)[None]
        return {"mean": mean, "log_scale": np.zeros_like(mean), "latent": mean + noise * noise_scale}

    def wave(latent: FloatArray, ge: FloatArray) -> dict[str, Array]:
        envelope = np.repeat(_smooth(latent[0], SIZES.wave_halo_frames).sum(axis=0), SAMPLES_PER_FRAME)
        return {"audio": (0.3 * gain * envelope).astype(np.float32)[None]}

    return Sovits(encoder=ToyEngine(encode), flow=ToyEngine(flow), wave=ToyEngine(wave), sizes=SIZES)


def _smooth(rows: FloatArray, reach: int) -> FloatArray:
    """Each column becomes the mean of those within `reach`; outside there are zeros."""
    kernel = np.full(2 * reach + 1, 1 / (2 * reach + 1), np.float32)
    return np.stack([np.convolve(np.pad(row, reach), kernel, mode="valid") for row in rows]).astype(np.float32)


class ToyGpt:
    """Prefill and step that want to say `script`, then the end token. Cache rows hold 1, 2, 3, ... by position."""

    def __init__(self, script: list[int], *, layers: int = 2) -> None:
        self._script, self._planes, self._prompt = script, 2 * layers, 0
        names = [f"cache_{plane}" for plane in range(self._planes)]
        self.prefill = ToyEngine(self._read)
        self.step = ToyEngine(self._next, {n: TensorSpec(n, ("S", "B", WIDTH), np.dtype(np.float32)) for n in names})

    def _read(self, **feeds: Any) -> dict[str, Array]:
        self._prompt = feeds["prompt_tokens"].shape[1]
        times = np.arange(1, feeds["mask"].shape[0] + 1, dtype=np.float32)
        rows = np.broadcast_to(times[None, :, None, None], (self._planes, len(times), 1, WIDTH))
        return {"logits": self._logits(0)[None], "rows": rows}

    def _next(self, **feeds: Any) -> dict[str, Array]:
        seen = (feeds["mask"] == 0).sum(axis=1).astype(np.float32)
        rows = np.broadcast_to(seen[None, :, None] + 1, (self._planes, len(seen), WIDTH))
        index = (feeds["position"] - self._prompt + 1).tolist()
        return {"logits": np.stack([self._logits(at) for at in index]), "rows": rows}

    def _logits(self, index: int) -> FloatArray:
        scores = np.zeros(TOKENS, np.float32)
        scores[self._script[index] if index < len(self._script) else TOKENS - 1] = 9
        return scores
