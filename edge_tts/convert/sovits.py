"""Reads family and sizes of a SoVITS checkpoint, and writes its two small graphs.

`quantizer` turns SSL features into semantic tokens, `conditioning` a spectrogram into the speaker vector ge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Value
from edge_tts.convert.checkpoint import FloatArray, Source, Weights
from edge_tts.convert.layers import Conv, Heads, add, attention, cut, gated, linear, mish, reshape, swap, unsqueeze
from edge_tts.convert.module import Module
from edge_tts.convert.network_config import NetworkConfig
from edge_tts.convert.ports import Ports
from edge_tts.convert.t2s import V1_PHONEMES, V2_PHONEMES
from edge_tts.errors import CheckpointError

Family = Literal["v2", "v2Pro", "v2ProPlus"]

# Only for training.
UNUSED = r"enc_q\.|quantizer\.vq\.layers\.0\._codebook\.(inited|cluster_size|embed_avg)$"
SPEAKER_WIDTH = 20480
_STYLE_BINS = 704
_STYLE = 128
_STYLE_HEADS = Heads(2, _STYLE)


@dataclass(frozen=True, slots=True)
class SovitsSizes:
    """Sizes of a checkpoint."""

    family: Family
    conditioning: int
    """Width of ge: 512 (v2) or 1024 (Pro)."""
    hidden: int
    latent: int
    codes: int
    ssl: int
    heads: int
    upsample_rates: tuple[int, ...]
    block_dilations: tuple[tuple[int, ...], ...]
    """Per residual block of a vocoder stage."""

    @property
    def pro(self) -> bool:
        """Whether a speaker embedding goes into ge."""
        return self.family in graphs.PRO

    @property
    def declared(self) -> dict[str, int]:
        """What the contract of the graphs names."""
        return {
            "ssl_width": self.ssl,
            "conditioning_width": self.conditioning,
            "latent_width": self.latent,
            "feature_width": self.hidden,
            "spectrogram_bins": graphs.SPECTROGRAM_BINS,
            "speaker_width": SPEAKER_WIDTH if self.pro else 0,
        }


def refuse_other_families(label: str, source: Source) -> None:
    """Raise CheckpointError for v1, v3, v4, LoRA and other networks."""
    names = source.shapes
    if not any(name.startswith(("enc_p.", "dec.", "cfm.")) for name in names):
        raise CheckpointError(f"{label}: not a SoVITS checkpoint (it has neither a text encoder nor a decoder)")
    if any("lora_" in name for name in names):
        raise CheckpointError(f"{label}: a LoRA file (v3 or v4); v2, v2Pro and v2ProPlus are supported")
    if any(name.startswith("cfm.") for name in names):
        raise CheckpointError(f"{label}: GPT-SoVITS v3 or v4; v2, v2Pro and v2ProPlus are supported")
    rows = names.get("enc_p.text_embedding.weight", (V2_PHONEMES,))[0]
    if rows != V2_PHONEMES:
        family = "GPT-SoVITS v1" if rows in (322, V1_PHONEMES) else "an unknown family"
        raise CheckpointError(f"{label}: {rows} phonemes, so {family}; v2, v2Pro and v2ProPlus are supported")


def read_sizes(weights: Weights, config: NetworkConfig) -> SovitsSizes:
    """Rates, dilations and heads from the config, the rest from the arrays."""
    model = config.section("model")
    if str(model.values.get("resblock", "1")) != "1":
        raise CheckpointError(f"{weights.label}: config.model describes a vocoder that v2 does not have")
    heads, hidden = model.whole("n_heads"), weights.shape("enc_p.text_embedding.weight", 2)[1]
    if hidden % heads:
        raise CheckpointError(f"{weights.label}: config model.n_heads is {heads}, no divisor of the width {hidden}")
    plus = weights.shape("dec.conv_pre.weight", 3)[0] == 768 or weights.shape("dec.ups.0.weight_v", 3)[2] == 20
    pro: Family = "v2ProPlus" if plus else "v2Pro"
    return SovitsSizes(
        family=pro if "sv_emb.weight" in weights else "v2",
        conditioning=weights.shape("ref_enc.fc.fc.weight", 2)[0],
        hidden=hidden,
        latent=weights.shape("dec.conv_pre.weight", 3)[1],
        codes=weights.shape("quantizer.vq.layers.0._codebook.embed", 2)[0],
        ssl=weights.shape("ssl_proj.weight", 3)[1],
        heads=heads,
        upsample_rates=model.wholes("upsample_rates"),
        block_dilations=model.lists("resblock_dilation_sizes"),
    )


def codebook(net: Module, sizes: SovitsSizes) -> FloatArray:
    """float32 [codes, ssl]: the feature vector of each semantic token."""
    return net.take("quantizer.vq.layers.0._codebook.embed", sizes.codes, sizes.ssl)


def write_quantizer(net: Module, sizes: SovitsSizes) -> None:
    """ssl [1, 768, T] -> codes int64 [1, T // 2]: projection at stride 2, then the nearest codebook row.

    The nearest row minimises |x - c|^2; |x|^2 is left out.
    """
    g = net.graph
    ports = Ports(g, graphs.QUANTIZER, sizes.declared)
    ssl = ports.input(graphs.SSL_FEATURES)
    x = swap(g, net.conv("ssl_proj", ssl, (sizes.ssl, sizes.ssl, 2), Conv(stride=2)))
    rows = codebook(net, sizes)
    # The scores of the best rows often differ by less than float16 can tell.
    with g.scope("nearest", exact=True):
        closeness = linear(g, x, 2 * rows, -np.square(rows).sum(axis=1))
        codes = g.op("ArgMax", closeness, dtype="int64", axis=2, keepdims=0)
    ports.output(graphs.CODES, codes)


def write_conditioning(net: Module, sizes: SovitsSizes) -> None:
    """spectrogram [1, 1025, F] (and speaker [1, 20480] for Pro) -> ge [1, G, 1] of one reference.

    The mel-style encoder of StyleSpeech (Min et al. 2021), over the lowest 704 bins.
    """
    g, style = net.graph, net.child("ref_enc")
    ports = Ports(g, graphs.CONDITIONING, sizes.declared)
    x = swap(g, cut(g, ports.input(graphs.SPECTROGRAM), 0, _STYLE_BINS, 1))
    for index, width in ((0, _STYLE_BINS), (3, _STYLE)):
        with g.scope(f"spectral{index}"):
            x = mish(g, style.linear(f"spectral.{index}.fc", x, (_STYLE, width)))
    x = swap(g, x)
    for index in range(2):
        with g.scope(f"temporal{index}"):
            y = style.conv(f"temporal.{index}.conv1.conv", x, (2 * _STYLE, _STYLE, 5), Conv(padding=2))
            x = add(g, x, gated(g, y, _STYLE))
    x = _style_attention(style.child("slf_attn"), swap(g, x))
    # Projection and mean over time commute; one column is cheaper to project.
    mean = g.op("ReduceMean", x, axes=[1], keepdims=0)
    ge = style.linear("fc.fc", mean, (sizes.conditioning, _STYLE))
    if sizes.pro:
        ge = _with_speaker(net, ge, ports.input(graphs.SPEAKER_EMBEDDING), sizes.conditioning)
    ports.output(graphs.GE, unsqueeze(g, ge, 2))


def _style_attention(net: Module, x: Value) -> Value:
    """Over [1, F, 128], with residual; upstream divides the scores by sqrt(128), not by sqrt(64)."""
    g, square = net.graph, (_STYLE, _STYLE)
    with g.scope("attention"):
        q = net.linear("w_qs", x, square, _STYLE**-0.5)
        k, v = net.linear("w_ks", x, square), net.linear("w_vs", x, square)
        mixed = net.linear("fc", attention(g, (q, k, v), _STYLE_HEADS), square)
    return add(g, x, mixed)


def _with_speaker(net: Module, ge: Value, speaker: Value, width: int) -> Value:
    """[1, G] -> [1, G]."""
    g = net.graph
    with g.scope("speaker"):
        projected = net.linear("sv_emb", speaker, (width, SPEAKER_WIDTH))
        slopes = g.constant(net.take("prelu.weight", width), "slopes")
        return reshape(g, g.op("PRelu", add(g, ge, projected), slopes), 0, width)
