"""The training loop of every stage: time budget, warm-up and decay, checkpoints that resume, lines of progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Step = Callable[[], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. The budget counts over all resumed runs of the stage, by `clock`."""

    minutes: float
    rate: float
    warmup: int = 100
    """Steps of rising learning rate; post-norm networks need many."""
    final: float = 0.03
    """Last learning rate as a share of `rate`; cosine decay over the time budget."""
    clip: float = 1.0
    decay: float = 0.01
    shares: Mapping[str, float] = field(default_factory=dict)
    """Shares of the rate by the first name of a parameter, where it is not 1."""
    report: int = 100
    save_s: float = 60.0

    def at(self, step: int, spent_s: float) -> float:
        """Learning rate of this step."""
        share = min(1.0, spent_s / (60 * self.minutes))
        cosine = self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * share))
        return self.rate * min(1.0, (step + 1) / self.warmup) * cosine


def clock(device: str) -> float:
    """Seconds: on a CPU those of its threads, so that other work on the machine costs time and no steps."""
    return time.process_time() / torch.get_num_threads() if device == "cpu" else time.monotonic()


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint beside and renames it: an interruption never leaves half a file."""
    staged = path.with_suffix(".partial")
    torch.save(state, staged)
    staged.rename(path)


def load(path: Path, device: str) -> dict[str, Any]:
    """Reads a checkpoint of plain tensors and numbers."""
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def steps_of(checkpoint: Path) -> int:
    """Steps that a checkpoint has been trained for; none before the first."""
    return int(load(checkpoint, "cpu")["step"]) if checkpoint.exists() else 0


def optimiser_of(model: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """A group of parameters a first name."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(name.split(".")[0], []).append(parameter)
    made = [{"params": found, "share": schedule.shares.get(name, 1.0)} for name, found in groups.items()]
    return torch.optim.AdamW(made, schedule.rate, betas=(0.9, 0.98), weight_decay=schedule.decay)


def train(model: nn.Module, step: Step, schedule: Schedule, *, checkpoint: Path, device: str) -> None:
    """Runs `step` (a loss with its figures) until the time budget is spent, from `checkpoint` on if there is one."""
    optimiser = optimiser_of(model, schedule)
    number, spent = 0, 0.0
    if checkpoint.exists():
        state = load(checkpoint, device)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        number, spent = state["step"], state["spent_s"]
    announced: dict[str, float] = {}
    saved, before = time.monotonic(), clock(device)
    while True:
        done = spent >= 60 * schedule.minutes
        if done or time.monotonic() - saved > schedule.save_s:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": number, "spent_s": spent}
            save(checkpoint, state)
            saved = time.monotonic()
        if done:
            return
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(number, spent) * group["share"]
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            loss, figures = step()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimiser.step()
        number += 1
        now = clock(device)
        spent, before = spent + now - before, now
        announced = {key: 0.97 * announced.get(key, value) + 0.03 * value for key, value in figures.items()}
        if number % schedule.report == 0:
            text = "  ".join(f"{key} {value:.3f}" for key, value in announced.items())
            print(f"{checkpoint.stem} step {number}  {spent / 60:.1f} of {schedule.minutes:g} min  {text}", flush=True)
