"""What all SoVITS graphs share: the family and sizes of a checkpoint, and the two small graphs of the reference.

`quantizer` turns SSL features into semantic tokens; `conditioning` turns a spectrogram into the speaker vector ge. It
does not know how either input is computed from a recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import Source, Weights
from edge_tts.convert.layers import add, attention, conv, cut, gated, linear, mish, reshape, swap, unsqueeze
from edge_tts.convert.ports import Ports
from edge_tts.convert.t2s import V1_PHONEMES, V2_PHONEMES
from edge_tts.errors import CheckpointError

Family = Literal["v2", "v2Pro", "v2ProPlus"]

# The posterior encoder and the running statistics of the codebook serve training only.
UNUSED = r"enc_q\.|quantizer\.vq\.layers\.0\._codebook\.(inited|cluster_size|embed_avg)$"
SPEAKER_WIDTH = 20480
_STYLE_BINS = 704
_STYLE = 128
_STYLE_HEADS = 2


@dataclass(frozen=True, slots=True)
class SovitsSizes:
    """What a SoVITS checkpoint decides."""

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
    """Per residual block of a vocoder stage, the dilations of its convolutions."""

    @property
    def pro(self) -> bool:
        """Whether a speaker-verification embedding goes into ge."""
        return self.family in graphs.PRO

    @property
    def declared(self) -> dict[str, int]:
        """The numbers that the contract of the graphs names."""
        return {
            "conditioning_width": self.conditioning,
            "feature_width": self.hidden,
            "latent_width": self.latent,
            "ssl_width": self.ssl,
            "speaker_width": SPEAKER_WIDTH if self.pro else 0,
        }


def refuse_other_families(label: str, source: Source) -> None:
    """Raise CheckpointError for v1, v3, v4, LoRA and altogether different files, told by their content."""
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


def read_sizes(weights: Weights, config: Mapping[str, Any]) -> SovitsSizes:
    """Family and sizes, from the arrays where they tell and from the config for rates and dilations."""
    model = config.get("model")
    if not isinstance(model, Mapping):
        raise CheckpointError(f"{weights.label}: its config has no section 'model'")
    try:
        rates = tuple(int(rate) for rate in model["upsample_rates"])
        dilations = tuple(tuple(int(d) for d in block) for block in model["resblock_dilation_sizes"])
        heads = int(model["n_heads"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.label}: config.model lacks a usable value: {error!r}") from error
    if str(model.get("resblock", "1")) != "1" or min(0, *rates) < 0 or heads < 1 or not dilations:
        raise CheckpointError(f"{weights.label}: config.model describes a vocoder that v2 does not have")
    plus = weights.shape("dec.conv_pre.weight", 3)[0] == 768 or weights.shape("dec.ups.0.weight_v", 3)[2] == 20
    pro: Family = "v2ProPlus" if plus else "v2Pro"
    return SovitsSizes(
        family=pro if "sv_emb.weight" in weights else "v2",
        conditioning=weights.shape("ref_enc.fc.fc.weight", 2)[0],
        hidden=weights.shape("enc_p.text_embedding.weight", 2)[1],
        latent=weights.shape("dec.conv_pre.weight", 3)[1],
        codes=weights.shape("quantizer.vq.layers.0._codebook.embed", 2)[0],
        ssl=weights.shape("ssl_proj.weight", 3)[1],
        heads=heads,
        upsample_rates=rates,
        block_dilations=dilations,
    )


def codebook(weights: Weights, sizes: SovitsSizes) -> Any:
    """float32 [codes, ssl]: the feature vector of each semantic token."""
    return weights.take("quantizer.vq.layers.0._codebook.embed", sizes.codes, sizes.ssl)


def write_quantizer(g: Graph, weights: Weights, sizes: SovitsSizes) -> None:
    """ssl [1, 768, T] -> codes int64 [1, T // 2]: projection at stride 2, then the nearest codebook row.

    The nearest row minimises |x - c|^2; |x|^2 is the same for all rows and left out.
    """
    ports = Ports(g, graphs.QUANTIZER, sizes.declared)
    ssl = ports.input(graphs.SSL_FEATURES)
    weight = weights.take("ssl_proj.weight", sizes.ssl, sizes.ssl, 2)
    x = swap(g, conv(g, ssl, weight, weights.take("ssl_proj.bias", sizes.ssl), stride=2))
    rows = codebook(weights, sizes)
    # The best rows are often closer to each other than float16 can tell at the size of their scores.
    with g.scope("nearest", exact=True):
        closeness = linear(g, x, 2 * rows, -np.square(rows).sum(axis=1))
        codes = g.op("ArgMax", closeness, dtype="int64", axis=2, keepdims=0)
    ports.output(graphs.CODES, codes)


def write_conditioning(g: Graph, weights: Weights, sizes: SovitsSizes) -> None:
    """spectrogram [1, 1025, F] (and speaker [1, 20480] for Pro) -> ge [1, G, 1] of one reference.

    Mel-style encoder after GPT-SoVITS (from StyleSpeech, Min et al. 2021): it reads the lowest 704 bins.
    """
    ports = Ports(g, graphs.CONDITIONING, sizes.declared)
    x = swap(g, cut(g, ports.input(graphs.SPECTROGRAM), 0, _STYLE_BINS, 1))
    for index, width in ((0, _STYLE_BINS), (3, _STYLE)):
        with g.scope(f"spectral{index}"):
            name = f"ref_enc.spectral.{index}.fc"
            x = linear(g, x, weights.take(f"{name}.weight", _STYLE, width), weights.take(f"{name}.bias", _STYLE))
            x = mish(g, x)
    x = swap(g, x)
    for index in range(2):
        with g.scope(f"temporal{index}"):
            name = f"ref_enc.temporal.{index}.conv1.conv"
            weight = weights.take(f"{name}.weight", 2 * _STYLE, _STYLE, 5)
            y = conv(g, x, weight, weights.take(f"{name}.bias", 2 * _STYLE), padding=2)
            x = add(g, x, gated(g, y, axis=1, half=_STYLE))
    x = _style_attention(g, swap(g, x), weights)
    # The projection and the mean over time commute; one column is cheaper to project than all.
    mean = g.op("ReduceMean", x, axes=[1], keepdims=0)
    width = sizes.conditioning
    ge = linear(g, mean, weights.take("ref_enc.fc.fc.weight", width, _STYLE), weights.take("ref_enc.fc.fc.bias", width))
    if sizes.pro:
        ge = _with_speaker(g, ge, ports.input(graphs.SPEAKER_EMBEDDING), weights, width)
    ports.output(graphs.GE, unsqueeze(g, ge, 2))


def _style_attention(g: Graph, x: Value, weights: Weights) -> Value:
    """Self-attention over [1, F, 128] with residual; upstream divides the scores by sqrt(128), not by sqrt(64)."""
    parts = {}
    with g.scope("attention"):
        for part in ("qs", "ks", "vs"):
            name = f"ref_enc.slf_attn.w_{part}"
            weight, bias = weights.take(f"{name}.weight", _STYLE, _STYLE), weights.take(f"{name}.bias", _STYLE)
            scale = np.float32(_STYLE**-0.5 if part == "qs" else 1.0)
            parts[part] = linear(g, x, weight * scale, bias * scale)
        mixed = attention(g, parts["qs"], parts["ks"], parts["vs"], heads=_STYLE_HEADS, width=_STYLE)
        name = "ref_enc.slf_attn.fc"
        mixed = linear(g, mixed, weights.take(f"{name}.weight", _STYLE, _STYLE), weights.take(f"{name}.bias", _STYLE))
    return add(g, x, mixed)


def _with_speaker(g: Graph, ge: Value, speaker: Value, weights: Weights, width: int) -> Value:
    """Add the projected speaker embedding; then PReLU with one slope per channel. [1, G] -> [1, G]."""
    with g.scope("speaker"):
        projected = linear(
            g, speaker, weights.take("sv_emb.weight", width, SPEAKER_WIDTH), weights.take("sv_emb.bias", width)
        )
        slopes = g.constant(weights.take("prelu.weight", width), "slopes")
        return reshape(g, g.op("PRelu", add(g, ge, projected), slopes), 0, width)
