"""Sizes and constants that the decoder's training form and its exported graphs share. Needs neither torch nor onnx."""

from __future__ import annotations

import math

LEVELS = (4, 4, 4, 4, 4)
"""Quantiser levels per channel."""
CODES = 1024
GE = 128
"""Width of the speaker vector."""
WIDTH = 192
"""Width of features and of the latent."""
RATE, HOP, WINDOW = 24000, 240, 960
"""The voice is made at 24 kHz in half frames of 10 ms with 40 ms windows."""
TOKEN, FRAME = 4 * HOP, 2 * HOP
"""Samples of a token and of a frame of the latent."""
SIZES = {"conditioning_width": GE, "feature_width": WIDTH, "latent_width": WIDTH}
"""The numbers that the contract of the speaking graphs names."""
BINS = WINDOW // 2 + 1
SEEDS = 16
"""Latent channels of noise; from them the voice draws the phases of its breath."""
BODY = WIDTH - SEEDS - 4
CENTRE_HZ, LOWEST_HZ = 140.0, 50.0
BREATH_LEVEL = math.sqrt(WINDOW * 3 / 8)
"""Magnitude of a bin of white noise of unit variance under the Hann window."""
