"""Judges the networks that read a recording or Chinese text: HuBERT with the quantizer, ERes2NetV2, BERT."""

from __future__ import annotations

import numpy as np

from edge_tts.audio.features import filterbank
from edge_tts.errors import AudioError
from edge_tts.synthesis.encoder import check_prompt_length

from .folder import GoldenFolder
from .networks import Networks
from .table import Table

_APPENDED_SILENCE = 9600


def judge_hubert(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """16 kHz waves to hidden states, then to prompt codes by the quantizer that the part names."""
    gold, cases = folder.arrays(part), folder.parts[part]
    ssl = networks.engine(cases["model"], "ssl")
    quantizer = networks.engine(cases["quantizer"], "quantizer")
    for name, case in cases.items():
        if f"{name}.hidden" not in gold:
            continue
        wave = np.concatenate([folder.input(case, "wav16k"), np.zeros(_APPENDED_SILENCE, np.float32)])
        features = ssl.run({"wave": wave[None]})["ssl"]
        table.compare(part, f"{name}.hidden", "hidden", features[0].T, gold[f"{name}.hidden"])
        codes = quantizer.run({"ssl": features})["codes"][0]
        table.compare(part, f"{name}.codes", "codes", codes, gold[f"{name}.codes"])
    limits = cases.get("length_check_samples_16k", {})
    if limits:
        got = np.array([_accepted(int(samples)) for samples in limits])
        want = np.array([verdict == "accepted" for verdict in limits.values()])
        table.compare(part, "length_check", "tokens", got, want)


def judge_speaker(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """16 kHz waves to filterbanks to embeddings."""
    gold, cases = folder.arrays(part), folder.parts[part]
    engine = networks.engine(cases["model"], "speaker")
    for name, case in cases.items():
        if f"{name}.fbank" not in gold:
            continue
        bank = filterbank(folder.input(case, "wav16k"))
        table.compare(part, f"{name}.fbank", "filterbank", bank, gold[f"{name}.fbank"])
        embedding = engine.run({"fbank": bank[None]})["embedding"][0]
        table.compare(part, f"{name}.embedding", "embedding", embedding, gold[f"{name}.embedding"])


def judge_bert(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """Token ids to hidden states, and those repeated per phoneme."""
    gold, cases = folder.arrays(part), folder.parts[part]
    engine = networks.engine(cases["model"], "bert")
    for name in cases:
        if f"{name}.hidden" not in gold:
            continue
        hidden = engine.run({"token_ids": gold[f"{name}.input_ids"].astype(np.int64)[None]})["hidden"][0]
        table.compare(part, f"{name}.hidden", "hidden", hidden, gold[f"{name}.hidden"])
        feature = np.repeat(hidden[1:-1], gold[f"{name}.word2ph"], axis=0).T
        table.compare(part, f"{name}.feature", "hidden", feature, gold[f"{name}.feature"])


def _accepted(samples: int) -> bool:
    try:
        check_prompt_length(samples)
    except AudioError:
        return False
    return True
