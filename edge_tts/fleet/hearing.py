"""Says twenty sentences with a model set, to nobody, and judges them; `heard` runs it as a child process.

The child is nice, has its own memory, and whatever a set does to it costs the child. It prints one line of JSON.
The command is `python -m edge_tts.fleet.hearing SET QUALITY ENGINE LANGUAGES`.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.audio.wave import Resampler
from edge_tts.config import EngineConfig
from edge_tts.errors import EdgeTTSError, FleetError, ModelError
from edge_tts.fleet.release import Terms
from edge_tts.limited_process import end_with_parent
from edge_tts.model_sets.activation import a_voice, activate, open_loader
from edge_tts.model_sets.loading import load_fastest
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.model_sets.proving import prove
from edge_tts.recordings.dnsmos import load_mos_estimator
from edge_tts.recordings.mel import RATE
from edge_tts.request import SpeakRequest
from edge_tts.schema import Field, Record, check, check_json
from edge_tts.synthesis.networks import Networks
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import AudioChunk, FloatArray, Voice

COMMAND = (sys.executable, "-m", "edge_tts.fleet.hearing")
_NICE = 10
_NOT_ITS_FAULT = 3
"""Exit status: the machine is to blame, and not the set."""
_TICK_S = 0.2
_WINDOWS = 1
"""Of 9 s that DNSMOS hears of each sentence."""

SENTENCES = {
    "en": (
        "The kettle has boiled, and the tea is ready.",
        "Somebody is at the front door.",
        "The washing machine has finished.",
        "It will rain in the afternoon, so take a coat with you.",
        "Dinner is on the table in ten minutes.",
        "The window in the bathroom is still open.",
        "Your next appointment begins at half past three.",
        "Good morning. It is seven degrees outside.",
        "The parcel was left with the neighbours downstairs.",
        "Please take the bread out of the oven now.",
        "The battery of the smoke detector in the hall is low.",
        "There are twelve minutes left on the timer.",
        "The garage door was closed, and the lights are off.",
        "Your train leaves from platform four today.",
        "The plants on the balcony need some water.",
        "Grandmother called and asks you to ring her back.",
        "The dishwasher can be emptied.",
        "Tomorrow the bins are collected early.",
        "The heating in the study was turned down to eighteen degrees.",
        "Good night, and sleep well.",
    ),
    "zh": (
        "水已经烧开了，请慢慢用茶。",
        "门口有人来了。",
        "洗衣机已经洗好了。",
        "下午会下雨，出门请带一把伞。",
        "十分钟以后可以吃晚饭。",
        "浴室的窗户还开着。",
        "下一个约会三点半开始。",
        "早上好，外面只有七度。",
        "快递放在楼下邻居家里了。",
        "请把烤箱里的面包拿出来。",
        "走廊里的烟雾报警器快没电了。",
        "计时器还剩十二分钟。",
        "车库的门关好了，灯也关了。",
        "今天的火车从四号站台出发。",
        "阳台上的花该浇水了。",
        "奶奶来过电话，请给她回一个。",
        "洗碗机里的碗可以收了。",
        "明天一早收垃圾。",
        "书房的暖气调到了十八度。",
        "晚安，好好休息。",
    ),
}
"""Twenty of each language; of a set with two, half of each are said."""
LANGUAGES = tuple(SENTENCES)


class Heard(Record):
    """What became of the sentences."""

    mos: float = Field(ge=0, le=5)
    """DNSMOS, overall, the mean."""
    guard: int = Field(ge=0)
    """Segments that were decoded again or stayed wrong."""
    silent: int = Field(ge=0)
    """Sentences without sound, or with samples that are no numbers."""
    p95_s: float = Field(ge=0)
    """Until the first sound."""
    sentences: int = Field(ge=1)


def fault_of(new: Heard, now: Heard | None, terms: Terms) -> str:
    """Why a set is worse than the one that speaks (None: which does not); empty where it is not."""
    if new.silent:
        return f"{new.silent} of {new.sentences} sentences have no sound"
    if now is None:
        return ""
    if new.mos < now.mos - terms.mos_loss:
        return f"DNSMOS {new.mos:.2f}, the set that speaks has {now.mos:.2f}"
    if new.guard > now.guard + terms.guard_more:
        return f"the guard acted {new.guard} times, with the set that speaks {now.guard} times"
    return ""


def heard(
    folder: Path, quality: Path, engine: EngineConfig, languages: tuple[str, ...], waiting: Callable[[int], None]
) -> Heard:
    """Hear a set in a child process. `waiting` gets the child's pid five times a second, and may raise to end it.

    Raises ModelError with the child's last words, also when it takes longer than `engine.build_limit_s` plus a minute
    for each sentence, and FleetError when the disk was at fault.
    """
    arguments = (str(folder), str(quality), engine.model_dump_json(), ",".join(languages))
    places = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
        preexec_fn=end_with_parent,  # by itself it would be too late: it may be stopped before its first line runs
    )
    try:
        answer, errors = _wait(child, time.monotonic() + engine.build_limit_s + 60 * 20, waiting)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    if child.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"{folder.name}: trying it ended with status {child.returncode}"
        raise FleetError(why) if child.returncode == _NOT_ITS_FAULT else ModelError(why)
    return check_json(Heard, answer, error=ModelError, what=folder.name)


def _wait(child: subprocess.Popen[bytes], until: float, waiting: Callable[[int], None]) -> tuple[bytes, bytes]:
    while True:
        try:
            return child.communicate(timeout=_TICK_S)
        except subprocess.TimeoutExpired:
            waiting(child.pid)
            if time.monotonic() > until:
                raise ModelError("trying the model set took too long and was ended") from None


def hear(folder: Path, quality: Path, engine: EngineConfig, languages: tuple[str, ...]) -> Heard:
    """Load a set, have its engines built and judged by golden phrases, and say the sentences. Raises ModelError."""
    model = read_model_set(folder)
    verify_model_set(model)
    spoken = [language for language in languages if language in model.languages and language in SENTENCES]
    if not spoken:
        raise ModelError(f"{model.name}: speaks none of {', '.join(languages)}")
    prove(model, engine)
    voice = a_voice(model)
    with ExitStack() as stack:
        loader = stack.enter_context(open_loader(engine))
        activate(model, loader)
        networks = load_fastest(model, TextFrontEnd(), stack, loader, engine)
        mos = load_mos_estimator(quality, stack)
        sayings = [_said(networks, voice, text, language) for text, language in _texts(spoken)]
        scores = [mos.opinion(sound, windows=_WINDOWS).overall for sound, _, _ in sayings if _is_sound(sound)]
    return Heard(
        mos=min(5.0, max(0.0, float(np.mean(scores)))) if scores else 0.0,
        guard=sum(guard for _, guard, _ in sayings),
        silent=len(sayings) - len(scores),
        p95_s=round(float(np.percentile([first for _, _, first in sayings], 95)), 3),
        sentences=len(sayings),
    )


def _texts(languages: list[str]) -> Iterator[tuple[str, str]]:
    each = math.ceil(20 / len(languages))
    for language in languages:
        yield from ((text, language) for text in SENTENCES[language][:each])


def _said(networks: Networks, voice: Voice, text: str, language: str) -> tuple[FloatArray, int, float]:
    """The sound at 16 kHz, how often the guard acted, and the seconds until the first sound."""
    request = SpeakRequest(text=text, id="fleet", voice=voice.id, language=language, seed=1)
    began, first_s, chunks = time.monotonic(), 0.0, list[AudioChunk]()
    for chunk in networks.stream(request, voice):
        first_s = first_s or time.monotonic() - began
        chunks.append(chunk)
    guard = chunks[-1].guard
    samples = np.concatenate([chunk.samples for chunk in chunks])
    resampler = Resampler(source_hz=networks.model.sample_rate, target_hz=RATE)
    return resampler.push(samples, last=True), guard.retried + sum(guard.faults.values()), first_s


def _is_sound(samples: FloatArray) -> bool:
    return len(samples) > 0 and bool(np.isfinite(samples).all()) and float(np.abs(samples).max()) > 0.001


def main(folder: str, quality: str, engine: str, languages: str) -> int:
    """Exit status 1, and one line on standard error, when the set cannot speak here; 3 when the disk is full, say."""
    os.nice(_NICE)
    try:
        config = check(EngineConfig, json.loads(engine), error=ModelError, what="engine")
        result = hear(Path(folder), Path(quality), config, tuple(languages.split(",")))
    except (EdgeTTSError, OSError) as error:
        print(error, file=sys.stderr)
        return _NOT_ITS_FAULT if isinstance(error, OSError) else 1
    print(result.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
