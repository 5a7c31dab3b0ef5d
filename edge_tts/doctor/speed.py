"""How fast this machine speaks, with what power and heat, as one table that its owner can send us."""

from __future__ import annotations

import json
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_tts import __version__
from edge_tts.engine.load import EngineLoader
from edge_tts.engine.tensorrt.machine import board_name, l4t_release
from edge_tts.graphs import T2S, T2S_STEP
from edge_tts.model_sets.activation import PHRASES, a_voice
from edge_tts.model_sets.rehearsal import Spoken, time_request
from edge_tts.request import SpeakRequest
from edge_tts.runtime.telemetry import Telemetry
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Prompt
from edge_tts.synthesis.networks import load_networks
from edge_tts.synthesis.synthesizer import load_decoder
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import ModelSet

GOALS = {"token": "2 ms", "first audio": "150 ms", "rtf": "0.08"}
"""Computed for the 64 GB module of an AGX Orin (docs/jetson.md)."""
PEERS = {"first audio": "597 ms", "rtf": "0.77"}
"""Published for cloned voices on an Orin with models of 0.6 billion parameters."""
BANDWIDTHS = {"AGX Orin": 204.8e9}
"""Board -> bytes per second that its memory gives on paper."""

_TOKENS, _ROUNDS, _WARM_UP = 200, 10, 2
_PROMPT = 100
_SAMPLE_S = 0.5
Times = tuple[float, float, float]
"""Median, 95th percentile, worst."""


@dataclass(frozen=True, slots=True)
class SpeedPage:
    """What was measured. Times are milliseconds."""

    machine: str
    software: str
    model: str
    runs_on: str
    token: Times
    token_mb: float
    """Weights, which are read for every token."""
    floor: float | None
    """What reading them takes at the memory's bandwidth."""
    first_audio: Times
    rtf: Times
    """Seconds of computing per second of sound."""
    audio_s: float
    """How long the phrase lasts."""
    idle: Telemetry
    speaking: tuple[Telemetry, ...]
    """Readings taken meanwhile."""


def measure_speed(
    model: ModelSet,
    loader: EngineLoader,
    read: Callable[[], Telemetry],
    *,
    clock: Callable[[], float] = time.perf_counter,
    bandwidth: float | None = None,
    root: Path = Path("/"),
) -> SpeedPage:
    """Time an activated set on the loader's engines. Raises `ModelError`."""
    idle = read()
    with _readings(read) as readings:
        token = time_tokens(model, loader, clock)
        spoken = _time_phrases(model, loader, clock)
    board = board_name(root)
    paper = next((speed for name, speed in BANDWIDTHS.items() if name in board), None)
    rate, size = bandwidth or paper, _token_bytes(model)
    return SpeedPage(
        machine=board or f"{platform.machine()}, {platform.processor() or platform.platform()}",
        software=_software(loader, root),
        model=f"{model.name} {model.version} ({model.family}, {model.precision})",
        runs_on=_places(loader),
        token=token,
        token_mb=size / 1e6,
        floor=1e3 * size / rate if rate else None,
        first_audio=_times([one.first_audio_ms for one in spoken]),
        rtf=_times([one.rtf for one in spoken]),
        audio_s=statistics.median(one.audio_s for one in spoken),
        idle=idle,
        speaking=tuple(readings),
    )


def as_table(page: SpeedPage) -> str:
    """The page as a Markdown table."""
    rows = [
        ("", "measured: median / 95 % / worst", "goal on paper, AGX Orin 64 GB", "peers' published, Orin"),
        ("---", "---", "---", "---"),
        ("ms per token", f"{_shown(page.token)} ms", GOALS["token"], ""),
        ("first audio", f"{_shown(page.first_audio)} ms", GOALS["first audio"], PEERS["first audio"]),
        ("real-time factor", _shown(page.rtf), GOALS["rtf"], PEERS["rtf"]),
        *((name, value, "", "") for name, value in _facts(page)),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def as_speed_json(page: SpeedPage) -> str:
    """The same as one JSON object."""
    return json.dumps({**asdict(page), "goals": GOALS, "peers": PEERS}, indent=2, ensure_ascii=False)


def _facts(page: SpeedPage) -> Iterator[tuple[str, str]]:
    floor = "bandwidth unknown" if page.floor is None else f"{page.floor:.2f} ms at the memory's bandwidth"
    yield "weights read per token", f"{page.token_mb:.0f} MB: {floor}"
    yield "phrase", f"{page.audio_s:.1f} s of sound, {_ROUNDS} times"
    yield "power", _range(page, "power_w", "W")
    yield "hottest zone", _range(page, "temperature_c", "°C")
    yield "GPU clock", _range(page, "gpu_clock_mhz", "MHz")
    yield "fastest clock allowed", _unit(page.idle.gpu_limit_mhz, "MHz")
    yield "power mode", page.idle.power_mode or "not shown"
    yield "memory in use", f"{_range(page, 'memory_used_mb', 'MB')} of {_unit(page.idle.memory_total_mb, 'MB')}"
    slowed = sorted({reason for reading in page.speaking for reason in reading.throttles})
    yield "slowed down by", "; ".join(slowed) or "nothing that is shown"
    yield "model set", page.model
    yield "runs on", page.runs_on
    yield "machine", page.machine
    yield "software", page.software


def _range(page: SpeedPage, name: str, unit: str) -> str:
    """Idle, and the span while it spoke."""
    known = [value for reading in page.speaking if (value := getattr(reading, name)) is not None]
    if not known:
        return "not shown"
    return f"idle {_unit(getattr(page.idle, name), unit)}, speaking {min(known):.0f} to {max(known):.0f} {unit}"


def _unit(value: float | None, unit: str) -> str:
    return "not shown" if value is None else f"{value:.0f} {unit}"


def _shown(times: Times) -> str:
    return " / ".join(f"{value:.3g}" for value in times)


def _times(values: Sequence[float]) -> Times:
    return statistics.median(values), float(np.percentile(values, 95)), max(values)


def _token_bytes(model: ModelSet) -> int:
    """The size of the step's file, external weights included."""
    step = model.graph(T2S if T2S in model.replaced else T2S_STEP)
    return sum(path.stat().st_size for path in step.parent.glob(f"{step.name}*"))


def time_tokens(model: ModelSet, loader: EngineLoader, clock: Callable[[], float]) -> Times:
    """Milliseconds per decode step, at 200 to 400 positions."""
    random = np.random.default_rng(1)
    prompt = Prompt(
        phoneme_ids=random.integers(1, 300, _PROMPT),
        bert=np.zeros((_PROMPT, model.sizes.bert_width), np.float32),
        tokens=random.integers(0, model.sizes.tokens - 1, _PROMPT),
    )
    with ExitStack() as stack:
        decoder = load_decoder(model, GraphLoader(model, stack, loader.load))
        for _ in range(_WARM_UP):  # a captured graph is replayed from the third run of a shape on
            seconds = []
            decoder.start(0, prompt)
            for token in random.integers(0, model.sizes.tokens - 1, _TOKENS):
                began = clock()
                decoder.step(np.array([token]))
                seconds.append(clock() - began)
            decoder.release(0)
    return _times([1e3 * value for value in seconds])


def _time_phrases(model: ModelSet, loader: EngineLoader, clock: Callable[[], float]) -> list[Spoken]:
    """The golden phrase, some rounds after two that warm up."""
    language = next((name for name in PHRASES if name in model.languages), "en")
    voice = a_voice(model)
    request = SpeakRequest(text=PHRASES[language], id="speed", voice=voice.id, language=language, seed=1)
    with ExitStack() as stack:
        networks = load_networks(model, TextFrontEnd(), stack, load=loader.load)
        rounds = [time_request(networks, request, voice, clock) for _ in range(_WARM_UP + _ROUNDS)]
    return rounds[_WARM_UP:]


@contextmanager
def _readings(read: Callable[[], Telemetry]) -> Iterator[list[Telemetry]]:
    """Telemetry twice a second, on a thread: heat and clocks show only under load."""
    taken, done = list[Telemetry](), threading.Event()

    def sample() -> None:
        taken.append(read())
        while not done.wait(_SAMPLE_S):
            taken.append(read())

    thread = threading.Thread(target=sample, name="speed readings")
    thread.start()
    try:
        yield taken
    finally:
        done.set()
        thread.join()


def _places(loader: EngineLoader) -> str:
    places = {choice.graph: choice.runs_on for choice in loader.choices}
    if len(set(places.values())) == 1:
        return f"{next(iter(places.values()))}, all graphs"
    return ", ".join(f"{graph}: {place}" for graph, place in places.items())


def _software(loader: EngineLoader, root: Path) -> str:
    release = l4t_release(root)
    parts = [f"edge-ttsd {__version__}", f"Python {platform.python_version()}", *loader.versions]
    return ", ".join([*([f"Jetson Linux {release}"] if release else []), *parts])
