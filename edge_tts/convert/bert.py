"""Writes the Chinese RoBERTa, a BERT (Devlin et al. 2019): token ids to the hidden state that the GPT was trained with.

That is the third from the end; later layers are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts import graphs
from edge_tts.convert.builder import Value
from edge_tts.convert.checkpoint import Weights
from edge_tts.convert.layers import Heads, add, attention, cut, gelu, size
from edge_tts.convert.module import Module
from edge_tts.convert.network_config import NetworkConfig
from edge_tts.convert.ports import Ports
from edge_tts.convert.transformers_folder import read_json, read_text
from edge_tts.errors import CheckpointError

VOCABULARY = "vocab.txt"
_LAYERS_NOT_NEEDED = 2


@dataclass(frozen=True, slots=True)
class BertSizes:
    """Sizes of the network."""

    width: int
    feed_forward: int
    heads: int
    layers: int
    """Those written: two fewer than the network has."""
    vocabulary: int
    positions: int
    epsilon: float
    tokens: Sequence[str] | None
    """The vocabulary, if it is there."""

    @property
    def unused(self) -> str:
        """Regular expression of parameters that are not read."""
        later = "|".join(str(self.layers + index) for index in range(_LAYERS_NOT_NEEDED))
        return rf"(bert\.)?(embeddings\.position_ids$|pooler\.|encoder\.layer\.({later})\.)|cls\."


def prefix(names: Mapping[str, Any]) -> str:
    """What precedes all names in a checkpoint of a masked language model."""
    return "bert." if any(name.startswith("bert.") for name in names) else ""


def read_sizes(weights: Weights, config: NetworkConfig, folder: Path) -> BertSizes:
    """Raises CheckpointError when config, arrays and vocabulary disagree or it is another kind of network."""
    vocabulary, width = weights.shape("embeddings.word_embeddings.weight", 2)
    heads, layers = config.whole("num_attention_heads"), config.whole("num_hidden_layers")
    if config.values.get("hidden_act") != "gelu" or width % heads or layers <= _LAYERS_NOT_NEEDED:
        raise CheckpointError(f"{weights.label}: config.json describes no BERT with GELU of width {width}")
    return BertSizes(
        width=width,
        feed_forward=weights.shape("encoder.layer.0.intermediate.dense.weight", 2)[0],
        heads=heads,
        layers=layers - _LAYERS_NOT_NEEDED,
        vocabulary=vocabulary,
        positions=weights.shape("embeddings.position_embeddings.weight", 2)[0],
        epsilon=config.share("layer_norm_eps", 1e-12),
        tokens=_vocabulary(folder, vocabulary),
    )


def write_bert(net: Module, sizes: BertSizes) -> None:
    """token_ids [1, n], with [CLS] and [SEP] -> hidden [1, n, width]; n is at most `positions`."""
    g, width = net.graph, sizes.width
    ports = Ports(g, graphs.BERT, {"bert_width": width})
    ids = ports.input(graphs.TOKEN_IDS)
    with g.scope("embeddings"):
        part = net.child("embeddings")
        words = part.take("word_embeddings.weight", sizes.vocabulary, width)
        kinds = part.take("token_type_embeddings.weight", *part.shape("token_type_embeddings.weight", 2))
        table = part.take("position_embeddings.weight", sizes.positions, width) + kinds[0]
        positions = cut(g, g.constant(table, "positions"), 0, size(g, ids, 1), 0)
        x = add(g, g.op("Gather", g.constant(words, "words"), ids), positions)
        x = part.layer_norm("LayerNorm", x, width, sizes.epsilon)
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            x = _layer(net.child(f"encoder.layer.{index}"), x, sizes)
    ports.output(graphs.HIDDEN, x)


def _vocabulary(folder: Path, size: int) -> Sequence[str] | None:
    """Lines of vocab.txt, or of tokenizer.json; None without both. Raises CheckpointError for another network's."""
    plain, tokenizer = folder / VOCABULARY, folder / "tokenizer.json"
    if plain.is_file():
        tokens = read_text(plain).splitlines()
    elif tokenizer.is_file():
        tokens = _by_number(read_json(tokenizer), tokenizer)
    else:
        return None
    if len(tokens) != size:
        raise CheckpointError(f"{folder}: {len(tokens)} tokens in the vocabulary, {size} in the network")
    return tokens


def _by_number(values: Mapping[str, Any], path: Path) -> list[str]:
    """The tokens of a tokenizer.json in the order of their ids."""
    model = values.get("model")
    table = model.get("vocab") if isinstance(model, Mapping) else None
    if not isinstance(table, Mapping) or any(type(number) is not int for number in table.values()):
        raise CheckpointError(f"{path}: has no vocabulary that maps tokens to whole numbers")
    tokens = sorted(table, key=table.__getitem__)
    if [table[token] for token in tokens] != list(range(len(tokens))) or any(len(t.splitlines()) != 1 for t in tokens):
        raise CheckpointError(f"{path}: its vocabulary is no list: a number is missing, or a token is no line")
    if any("\ud800" <= mark <= "\udfff" for token in tokens for mark in token):
        raise CheckpointError(f"{path}: a token of its vocabulary is half a character")
    return tokens


def _layer(net: Module, x: Value, sizes: BertSizes) -> Value:
    g, width, wide, heads = net.graph, sizes.width, sizes.feed_forward, Heads(sizes.heads, sizes.width)
    q = net.linear("attention.self.query", x, (width, width), heads.scale)
    k = net.linear("attention.self.key", x, (width, width))
    v = net.linear("attention.self.value", x, (width, width))
    mixed = attention(g, (q, k, v), heads)
    x = add(g, x, net.linear("attention.output.dense", mixed, (width, width)))
    x = net.layer_norm("attention.output.LayerNorm", x, width, sizes.epsilon)
    hidden = gelu(g, net.linear("intermediate.dense", x, (wide, width)))
    x = add(g, x, net.linear("output.dense", hidden, (width, wide)))
    return net.layer_norm("output.LayerNorm", x, width, sizes.epsilon)
