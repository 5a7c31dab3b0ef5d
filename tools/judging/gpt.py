"""Judges the GPT: its two graphs behind the runtime's decode loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Engine
from edge_tts.graphs import MOST_TOKENS, SequenceLimits
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s import prefill_feeds
from edge_tts.synthesis.t2s_fused import FusedDecoder, make_decoder
from edge_tts.values import Sampling

from .folder import Array, GoldenFolder
from .networks import Networks
from .table import Table

_GREEDY = Sampling(top_k=1, repetition_penalty=1.35)
_CHUNK = 12
_SURE_MARGIN = 0.15
"""In float16 a choice is only binding where the second best is this far behind."""


def judge(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """All cases of a `t2s_*` part."""
    gold, model = folder.arrays(part), folder.parts[part]["model"]
    facts = networks.retained(model)
    limits = SequenceLimits(text_positions=facts["text_positions"], audio_positions=facts["audio_positions"])
    names = (graphs.T2S,) if networks.fused else (graphs.T2S_PREFILL, graphs.T2S_STEP)
    engines = {name: networks.engine(model, name) for name in names}
    decoder = make_decoder(engines, limits)
    for name, case in folder.parts[part].items():
        if not isinstance(case, dict) or "phones" not in case.get("inputs", {}):
            continue
        mine = {key[len(name) + 1 :]: array for key, array in gold.items() if key.startswith(f"{name}.")}
        prompt = _prompt(folder, case, mine)
        if "k_last_prompt" in mine:
            rows = _last_rows(decoder, engines, prompt)
            table.compare(part, f"{name}.k_last_prompt", "latent", rows[0::2], mine["k_last_prompt"])
            table.compare(part, f"{name}.v_last_prompt", "latent", rows[1::2], mine["v_last_prompt"])
        if "logits_first" in mine:
            table.compare(part, f"{name}.logits_first", "logits", decoder.start(0, prompt), mine["logits_first"])
        if "logits_forced" in mine:
            forced = _forced(decoder, prompt, mine["force_tokens"])
            table.compare(part, f"{name}.logits_forced", "logits", forced, mine["logits_forced"])
        _judge_greedy(decoder, prompt, part, name, case, mine, table)


def _judge_greedy(
    decoder: Decoder,
    prompt: Prompt,
    part: str,
    name: str,
    case: dict[str, Any],
    mine: dict[str, Array],
    table: Table,
) -> None:
    """The greedy sequence; upstream's limit stops after one token more than it says."""
    limit = MOST_TOKENS if case["early_stop_num"] < 0 else case["early_stop_num"] + 1
    got = np.array(list(generate(decoder, prompt, sampling=_GREEDY, limit=limit)), np.int64)
    want = mine["greedy_tokens"]
    if table.precision == "fp16":
        # A missing margin binds nothing: the sequence may part from the first step on.
        unsure = np.flatnonzero(mine.get("greedy_margin", np.zeros(1)) < _SURE_MARGIN)
        sure = int(unsure[0]) if len(unsure) else len(want)
        got, want = got[:sure], want[:sure]
    table.compare(part, f"{name}.greedy_tokens", "tokens", got, want)
    if "stream_fixed_tokens" in mine and len(want) == len(mine["greedy_tokens"]):
        chunks = [got[start : start + _CHUNK] for start in range(0, len(got), _CHUNK)]
        lengths = np.array([len(chunk) for chunk in chunks])
        expected = mine["stream_fixed_lengths"]
        table.compare(part, f"{name}.stream_fixed_lengths", "tokens", lengths, expected[expected > 0])
        table.compare(
            part, f"{name}.stream_fixed_tokens", "tokens", np.concatenate(chunks), mine["stream_fixed_tokens"]
        )
    if "stream_mute_tokens" in mine:
        table.skip(part, f"{name}.stream_mute_tokens", "not judged: upstream repeats tokens here, the runtime does not")


def _prompt(folder: GoldenFolder, case: dict[str, Any], mine: dict[str, Array]) -> Prompt:
    tokens = mine.get("prompt", np.zeros(0))
    bert = np.ascontiguousarray(folder.input(case, "bert").T, np.float32)
    return Prompt(phoneme_ids=mine["phones"].astype(np.int64), bert=bert, tokens=tokens.astype(np.int64))


def _last_rows(decoder: Decoder, engines: Mapping[str, Engine], prompt: Prompt) -> Array:
    """Keys and values at the prompt's last position, [2 x layers, width]."""
    if isinstance(decoder, FusedDecoder):
        heads = np.stack(decoder.prefill(prompt)[1])[:, :, -1]
        return heads.reshape(len(heads), -1)
    return engines[graphs.T2S_PREFILL].run(prefill_feeds(prompt))[graphs.ROWS][:, -1, 0]


def _forced(decoder: Decoder, prompt: Prompt, tokens: Array) -> Array:
    """Raw logits of the prompt and after each forced token, [1 + tokens, vocabulary]."""
    rows = [decoder.start(0, prompt)]
    rows += [decoder.step(np.array([token], np.int64))[0] for token in tokens]
    return np.stack(rows)
