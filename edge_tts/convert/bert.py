"""Writes the Chinese RoBERTa (a BERT): token ids to the hidden state that the GPT was trained with. No tokenizer here.

Post-norm encoder (Devlin et al. 2019) up to the third hidden state from the end; what comes after is not read. Both
spellings of the norms' parameters are known (weight and bias, gamma and beta).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import Weights
from edge_tts.convert.layers import add, attention, cut, gelu, layer_norm, linear, size
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

VOCABULARY = "vocab.txt"
_LAYERS_NOT_NEEDED = 2


@dataclass(frozen=True, slots=True)
class BertSizes:
    """What config.json and the arrays decide."""

    width: int
    feed_forward: int
    heads: int
    layers: int
    """How many are written: two fewer than the network has."""
    vocabulary: int
    positions: int
    epsilon: float

    @property
    def unused(self) -> str:
        """Regular expression of parameters that the written part does not need."""
        later = "|".join(str(self.layers + index) for index in range(_LAYERS_NOT_NEEDED))
        return rf"(bert\.)?(embeddings\.position_ids$|pooler\.|encoder\.layer\.({later})\.)|cls\."


def prefix(names: Mapping[str, Any]) -> str:
    """The part of all names in front of `embeddings`: a masked-language-model checkpoint has one."""
    return "bert." if any(name.startswith("bert.") for name in names) else ""


def read_sizes(weights: Weights, config: Mapping[str, Any]) -> BertSizes:
    """Sizes of a BERT. Raises CheckpointError when config and arrays disagree or it is another kind of network."""
    vocabulary, width = weights.shape("embeddings.word_embeddings.weight", 2)
    try:
        heads, layers = int(config["num_attention_heads"]), int(config["num_hidden_layers"])
        epsilon = float(config.get("layer_norm_eps", 1e-12))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.label}: config.json lacks a usable value: {error!r}") from error
    if config.get("hidden_act") != "gelu" or heads < 1 or width % heads or layers <= _LAYERS_NOT_NEEDED:
        raise CheckpointError(f"{weights.label}: config.json describes no BERT with GELU of width {width}")
    return BertSizes(
        width=width,
        feed_forward=weights.shape("encoder.layer.0.intermediate.dense.weight", 2)[0],
        heads=heads,
        layers=layers - _LAYERS_NOT_NEEDED,
        vocabulary=vocabulary,
        positions=weights.shape("embeddings.position_embeddings.weight", 2)[0],
        epsilon=epsilon,
    )


def write_bert(g: Graph, weights: Weights, sizes: BertSizes) -> None:
    """token_ids [1, n], with the rows of [CLS] and [SEP] -> hidden [1, n, width]; n is at most `positions`."""
    width = sizes.width
    ports = Ports(g, graphs.BERT, {"bert_width": width})
    ids = ports.input(graphs.TOKEN_IDS)
    with g.scope("embeddings"):
        words = weights.take("embeddings.word_embeddings.weight", sizes.vocabulary, width)
        kinds = weights.take(
            "embeddings.token_type_embeddings.weight", *weights.shape("embeddings.token_type_embeddings.weight", 2)
        )
        table = weights.take("embeddings.position_embeddings.weight", sizes.positions, width) + kinds[0]
        places = cut(g, g.constant(table, "positions"), 0, size(g, ids, 1), 0)
        x = add(g, g.op("Gather", g.constant(words, "words"), ids), places)
        x = _norm(g, x, "embeddings", weights, sizes)
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            x = _layer(g, x, f"encoder.layer.{index}", weights, sizes)
    ports.output(graphs.HIDDEN, x)


def read_vocabulary(folder: Path, sizes: BertSizes) -> str | None:
    """The vocabulary of a transformers folder as lines, from vocab.txt or tokenizer.json; None when it has neither.

    Raises CheckpointError when it is not the vocabulary of this network.
    """
    plain, tokenizer = folder / VOCABULARY, folder / "tokenizer.json"
    try:
        if plain.is_file():
            tokens = plain.read_text(encoding="utf-8").splitlines()
        elif tokenizer.is_file():
            table = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
            tokens = sorted(table, key=table.__getitem__)
        else:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{folder}: the vocabulary cannot be read: {error!r}") from error
    if len(tokens) != sizes.vocabulary:
        raise CheckpointError(f"{folder}: {len(tokens)} tokens in the vocabulary, {sizes.vocabulary} in the network")
    return "\n".join(tokens) + "\n"


def _layer(g: Graph, x: Value, name: str, weights: Weights, sizes: BertSizes) -> Value:
    """Self-attention, norm, feed-forward with GELU, norm; both with residual."""
    width, wide = sizes.width, sizes.feed_forward
    own = f"{name}.attention.self"
    q = _dense(g, x, f"{own}.query", weights, width, width, (width // sizes.heads) ** -0.5)
    k = _dense(g, x, f"{own}.key", weights, width, width)
    v = _dense(g, x, f"{own}.value", weights, width, width)
    mixed = attention(g, q, k, v, heads=sizes.heads, width=width)
    x = add(g, x, _dense(g, mixed, f"{name}.attention.output.dense", weights, width, width))
    x = _norm(g, x, f"{name}.attention.output", weights, sizes)
    hidden = gelu(g, _dense(g, x, f"{name}.intermediate.dense", weights, width, wide))
    x = add(g, x, _dense(g, hidden, f"{name}.output.dense", weights, wide, width))
    return _norm(g, x, f"{name}.output", weights, sizes)


def _dense(g: Graph, x: Value, name: str, weights: Weights, into: int, out: int, scale: float = 1.0) -> Value:
    factor = np.float32(scale)
    weight, bias = weights.take(f"{name}.weight", out, into), weights.take(f"{name}.bias", out)
    return linear(g, x, weight * factor, bias * factor)


def _norm(g: Graph, x: Value, name: str, weights: Weights, sizes: BertSizes) -> Value:
    old = f"{name}.LayerNorm.gamma" in weights
    scale, bias = ("gamma", "beta") if old else ("weight", "bias")
    return layer_norm(
        g,
        x,
        weights.take(f"{name}.LayerNorm.{scale}", sizes.width),
        weights.take(f"{name}.LayerNorm.{bias}", sizes.width),
        sizes.epsilon,
    )
