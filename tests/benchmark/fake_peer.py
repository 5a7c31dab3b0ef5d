"""A contender that takes what it is told to, for tests of the bench; run as a program."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from tools.benchmark.peers.serving import CannotError, Contender, Watch, sentences, serve


class FakePeer(Contender):
    cannot: ClassVar = {"rows": "one sentence at a time"}
    about = "a fake, version 1"

    def prefill(self, seconds: float) -> dict[str, Any]:
        print("what a peer prints is no answer")
        return {"wall": 0.2, "cpu": 0.4}

    def tokens(self, seconds: float) -> dict[str, Any]:
        return {"wall": 0.5, "cpu": 1.0, "count": 125}

    def speak(self, seconds: float, stream: bool) -> dict[str, Any]:
        taken = 2.0 * sum(1 for _ in sentences(seconds))
        return {"wall": taken, "cpu": taken, "first": [2.0, 2.0], "audio_s": seconds}

    def text(self) -> dict[str, Any]:
        raise CannotError("no front end")

    def bert(self) -> dict[str, Any]:
        raise ValueError("no weights")

    def latent(self, seconds: float) -> dict[str, Any]:
        os._exit(3)


def open_fake(job: dict[str, Any]) -> tuple[Contender, Watch]:
    if job.get("broken"):
        raise ImportError("no such package")
    with Watch() as watch:
        pass
    return FakePeer(), watch


if __name__ == "__main__":
    serve(open_fake)
