"""The training loop; only where torch is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: only training needs it, and it was not tested")


def test_an_interrupted_training_goes_on_where_it_was(tmp_path: Path) -> None:
    """A second run starts from the checkpoint's step and does nothing once the time budget is spent."""
    from tools.starter.loop import Schedule, load, train

    torch.manual_seed(0)
    model = torch.nn.Linear(4, 1)
    calls = 0

    def step():
        nonlocal calls
        calls += 1
        loss = model(torch.randn(8, 4)).square().mean()
        return loss, {"loss": loss.item()}

    checkpoint = tmp_path / "line.pt"
    train(model, step, Schedule(0.002, 1e-2), checkpoint=checkpoint, device="cpu")
    first = calls
    state = load(checkpoint, "cpu")
    assert state["step"] == first > 0
    train(model, step, Schedule(0.002, 1e-2), checkpoint=checkpoint, device="cpu")
    assert calls == first
    train(model, step, Schedule(0.004, 1e-2), checkpoint=checkpoint, device="cpu")
    assert load(checkpoint, "cpu")["step"] == calls > first


def test_the_learning_rate_rises_then_falls() -> None:
    """Warm-up by steps, cosine by the time that is spent, never zero."""
    from tools.starter.loop import Schedule

    schedule = Schedule(1.0, 1.0, warmup=10, final=0.1)
    assert schedule.at(0, 0.0) == pytest.approx(0.1)
    assert schedule.at(9, 0.0) == pytest.approx(1.0)
    assert schedule.at(99, 60.0) == pytest.approx(0.1)
    assert schedule.at(99, 999.0) == pytest.approx(0.1)


def test_parts_of_a_network_learn_at_their_own_rate() -> None:
    """A share of the rate belongs to the parameters below a name."""
    from tools.starter.loop import Schedule, optimiser_of

    model = torch.nn.ModuleDict({"decoder": torch.nn.Linear(2, 2), "judge": torch.nn.Linear(2, 2)})
    groups = optimiser_of(model, Schedule(1.0, 1.0, shares={"judge": 0.3})).param_groups
    assert [group["share"] for group in groups] == [1.0, 0.3]
    assert sum(len(group["params"]) for group in groups) == 4
