"""Training steps of the starter's GPT on random sentences, as a speed figure."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import numpy as np

from tools.gpu.report import Report, Skipped

_WARM_UP, _STEPS = 10, 100
_SENTENCES = 24


def run(report: Report, folder: Path, device: str = "cuda", steps: int = _STEPS) -> None:
    import torch

    from tools.starter.labels import phones
    from tools.starter.spoken import Spoken
    from tools.starter.stage_gpt import collate
    from tools.starter.t2s import Sizes, Teaching

    if device == "cuda" and not torch.cuda.is_available():
        raise Skipped(f"torch {torch.__version__} sees no GPU")
    torch.manual_seed(1)
    draw = np.random.default_rng(1)

    def sentence() -> Spoken:
        phonemes, tokens = 40, 80
        sounding = np.sort(draw.integers(0, phonemes, tokens))
        ids, said = draw.integers(1, 700, phonemes), draw.integers(0, 500, tokens)
        return Spoken(ids, said, sounding, draw.integers(0, len(phones()), tokens))

    batch = collate([sentence() for _ in range(_SENTENCES)], random.Random(1), device)
    model = Teaching(Sizes(), len(phones())).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    seconds = []
    for _ in range(_WARM_UP + steps):
        began = time.perf_counter()
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            loss, _ = model.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    step = statistics.median(seconds[_WARM_UP:])
    report.figure("step_ms", 1e3 * step)
    note = (
        f"median of {steps}; {_SENTENCES} sentences of 40 phonemes and 80 tokens; bfloat16, torch {torch.__version__}"
    )
    report.row("one step of the GPT", f"{1e3 * step:.1f} ms, {_SENTENCES * 80 / step:.0f} tokens a second", note)
    last = float(loss.detach())
    report.row("loss at the end", f"{last:.2f}", "random sentences: it only has to be finite")
    if not np.isfinite(last):
        report.status = "failed"
