"""The process of a contender: reads a task a line, answers with a line. Standard library only, Python 3.9 and later."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

TOKENS_PER_SECOND, PHONEMES_PER_SECOND, BERT_WIDTH = 25, 15, 1024
SENTENCE_S = 5
"""Longer texts are sentences of this length."""
PROMPT_PHONEMES, PROMPT_TOKENS = 75, 125
"""Of a reference of 5 s."""
PHONEME_IDS, TOKEN_IDS = 300, 1024
"""Phonemes and tokens are drawn from 1 and 0 up to these."""


class CannotError(Exception):
    """The contender cannot do a task; the message says why."""


class Watch:
    """Seconds that a block takes: by the clock, and of the processors."""

    def __enter__(self) -> Watch:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = self.so_far()

    def so_far(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu

    def answer(self, **more: Any) -> dict[str, Any]:
        return {"wall": self.wall, "cpu": self.cpu, **more}


class Contender:
    """A task is a method that returns an answer; one that is missing cannot be done, for the reason in `cannot`."""

    cannot: ClassVar[Mapping[str, str]] = {}
    about = ""
    """Name and version, and what should be known of the figures."""
    weight_bytes = 0
    """That are read for a token, where that is known."""

    def peak(self) -> dict[str, Any]:
        """The most memory that the process has had, in MB."""
        return {"mb": peak_mb()}


def peak_mb() -> float:
    """Linux says what this process had; the resource usage may be that of the one that started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1024)


def sentences(seconds: float) -> Iterator[tuple[int, int]]:
    """Phonemes and tokens of each sentence of a text."""
    while seconds > 0:
        length = min(seconds, SENTENCE_S)
        yield round(length * PHONEMES_PER_SECOND), round(length * TOKENS_PER_SECOND)
        seconds -= length


def numbers(seed: int, low: int, high: int, count: int) -> list[int]:
    """The same for all contenders."""
    state, drawn = seed + 1, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        drawn.append(low + (state >> 33) % (high - low))
    return drawn


def phoneme_ids(count: int) -> list[int]:
    return numbers(1, 1, PHONEME_IDS, count)


def token_ids(count: int) -> list[int]:
    return numbers(2, 0, TOKEN_IDS, count)


def speak_whole(say: Callable[[int, int], None], seconds: float) -> dict[str, Any]:
    """Say each sentence of a text; the first sound is there when the first sentence is."""
    first = None
    with Watch() as watch:
        for phonemes, tokens in sentences(seconds):
            say(phonemes, tokens)
            first = first or watch.so_far()
    return watch.answer(first=first, audio_s=seconds)


def serve(open_contender: Callable[[dict[str, Any]], tuple[Contender, Watch]]) -> None:
    """Open the contender of the job in the arguments and answer tasks. What else is printed goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        contender = _open(open_contender, answers)
        if contender is None:
            return
        for line in sys.stdin:
            task = json.loads(line)
            _write(answers, _answer(contender, task.pop("task"), task))


def _open(open_contender: Callable[..., tuple[Contender, Watch]], answers: Any) -> Any:
    try:
        contender, watch = open_contender(json.loads(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - a peer may raise anything, and the others go on
        traceback.print_exc()
        _write(answers, {"cannot": f"{type(error).__name__}: {error}"})
        return None
    _write(answers, watch.answer(about=contender.about, weight_bytes=contender.weight_bytes))
    return contender


def _answer(contender: Contender, task: str, parameters: dict[str, Any]) -> dict[str, Any]:
    method = getattr(contender, task, None)
    if method is None:
        return {"cannot": contender.cannot.get(task, "")}
    try:
        answer: dict[str, Any] = method(**parameters)
        return answer
    except CannotError as error:
        return {"cannot": str(error)}
    except Exception as error:  # noqa: BLE001 - as above
        traceback.print_exc()
        return {"cannot": f"{type(error).__name__}: {error}"}


def _write(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
