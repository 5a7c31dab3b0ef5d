"""Draw the next semantic token from logits, as GPT-SoVITS does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_tts.values import FloatArray, Sampling

BoolArray = npt.NDArray[np.bool_]

_MIN_TEMPERATURE = 1e-5


def penalize(logits: FloatArray, seen: BoolArray, penalty: float) -> None:
    """Apply the repetition penalty in place.

    `logits` float32 [tokens]; `seen` bool [tokens or more], True where a token occurred. Its logit is multiplied by
    `penalty` if negative, else divided.
    """
    if penalty == 1.0:
        return
    repeated = seen[: logits.shape[0]]
    values = logits[repeated]
    logits[repeated] = np.where(values < 0, values * np.float32(penalty), values / np.float32(penalty))


def probabilities(logits: FloatArray, sampling: Sampling) -> FloatArray:
    """The distribution to draw from, float32 [tokens], of penalized logits.

    In upstream's order: top-p on the untempered logits, temperature, top-k (ties with the k-th stay), softmax.
    """
    kept = logits if sampling.top_p >= 1.0 else _nucleus(logits, sampling.top_p)
    kept = kept / np.float32(max(sampling.temperature, _MIN_TEMPERATURE))
    if 0 < sampling.top_k < kept.shape[0]:
        kth = np.partition(kept, -sampling.top_k)[-sampling.top_k]
        kept = np.where(kept < kth, np.float32(-np.inf), kept)
    return _softmax(kept)


def draw(probabilities: FloatArray, noise: FloatArray) -> int:
    """Draw by the exponential race: argmax of probability / noise, `noise` standard exponential."""
    return int(np.argmax(probabilities / noise))


def _nucleus(logits: FloatArray, top_p: float) -> FloatArray:
    """Drop all beyond the cumulative probability `top_p`, the entry that crosses it included; keep the best."""
    order = np.argsort(-logits, kind="stable")
    beyond = np.cumsum(_softmax(logits[order])) > top_p
    beyond[0] = False
    kept: FloatArray = logits.copy()
    kept[order[beyond]] = -np.inf
    return kept


def _softmax(logits: FloatArray) -> FloatArray:
    exponent = np.exp(logits - logits.max())
    result: FloatArray = exponent / exponent.sum()
    return result
