"""The checks that run no network: platform, versions, sound, disk, text, model set, heat."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from edge_tts.audio.devices import find_loudspeaker
from edge_tts.audio.loudspeaker_thread import within
from edge_tts.config import Config
from edge_tts.doctor.findings import Finding
from edge_tts.engine.tensorrt.machine import l4t_release
from edge_tts.engine.tensorrt.trt_engine import load_tensorrt
from edge_tts.errors import AudioError, ModelError, install_hint
from edge_tts.model_sets.loading import front_end_for, open_lexicon
from edge_tts.model_sets.manifest import find_model_set, verify_model_set
from edge_tts.runtime.telemetry import Telemetry
from edge_tts.text.lexicon_file import merged
from edge_tts.values import ModelSet
from edge_tts.voices.local_voices import open_voices

_LIBRARIES = ("numpy", "onnxruntime", "onnx", "paho-mqtt", "pydantic", "sounddevice", "soundfile", "soxr")
_OPTIONAL = {"jetson-stats": f"{install_hint('jetson')}, for jtop's view of the device"}
_TIGHT_MB, _FULL_MB = 2000, 200
_HOT_C = 85.0
_SOUND_S = 10.0
"""Time-out of the sound system."""


def check_platform(root: Path = Path("/")) -> Iterator[Finding]:
    """Machine, system and interpreter."""
    release = l4t_release(root)
    where = f"Jetson Linux {release}" if release else platform.platform()
    python = platform.python_version()
    text = f"{platform.machine()}, {where}, Python {python}, {os.cpu_count()} cores"
    yield Finding("platform", "ok", text)


def check_versions(*, wants_tensorrt: bool, root: Path = Path("/")) -> Iterator[Finding]:
    """The required libraries, and TensorRT where it is expected."""
    installed = []
    for name in _LIBRARIES:
        version = _version(name)
        if version is None:
            yield Finding("versions", "broken", f"{name} is not installed", f"pip install {name}")
        else:
            installed.append(f"{name} {version}")
    yield Finding("versions", "ok", ", ".join(installed))
    for name, advice in _OPTIONAL.items():
        if l4t_release(root):
            version = _version(name)
            yield Finding("versions", "ok", f"{name} {version}" if version else f"{name} is not installed; {advice}")
    try:
        yield Finding("tensorrt", "ok", f"TensorRT {load_tensorrt().__version__}")
    except ModelError as error:
        if wants_tensorrt or l4t_release(root):
            yield Finding("tensorrt", "warning", str(error), "see docs/jetson.md; until then ONNX Runtime speaks")
        else:
            yield Finding("tensorrt", "ok", "TensorRT is not installed; ONNX Runtime speaks")


def check_audio(config: Config) -> Iterator[Finding]:
    """Whether there is something to play on."""
    if config.audio.output == "file":
        yield Finding("audio", "ok", f"sound goes into the file {config.audio.file}")
        return
    if config.audio.output == "none":
        yield Finding("audio", "ok", "nothing is played here; sound is made for those who fetch it")
        return
    if config.audio.output == "pipe":
        yield _check_pipe(config.audio.pipe)
        return
    try:
        within(_SOUND_S, lambda: find_loudspeaker(config.audio.device))
    except AudioError as error:
        advice = (
            "put the service's user into the group audio; name the device in audio.device (`aplay -l` lists them); "
            "restart the sound server if it does not answer; or set audio.output to file"
        )
        yield Finding("audio", "broken", f"there is no loudspeaker that PortAudio can open: {error}", advice)
    else:
        yield Finding("audio", "ok", f"loudspeaker: {config.audio.device or 'the default one'}")


def _check_pipe(path: Path) -> Finding:
    if path.exists() and not path.is_fifo():
        return Finding("audio", "broken", f"{path} is no pipe", f"remove it; `mkfifo {path}` makes one, and so do we")
    return Finding("audio", "ok", f"sound goes into the pipe {path}; it is heard while somebody reads there")


def check_disk(config: Config) -> Iterator[Finding]:
    """Free space and permission where the appliance writes."""
    for folder in (config.state_dir, config.engine.cache_dir, config.voices.dir):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free_mb = shutil.disk_usage(existing).free / 1e6
        text = f"{folder}: {free_mb / 1000:.1f} GB free"
        if not os.access(existing, os.W_OK):
            advice = f"chown it to the service's user, or choose another folder ({existing} is not ours)"
            yield Finding("disk", "broken", f"{folder}: cannot be written", advice)
        elif free_mb < _FULL_MB:
            yield Finding("disk", "broken", text, "free some space: settings and engines cannot be kept")
        elif free_mb < _TIGHT_MB:
            yield Finding("disk", "warning", text, "TensorRT engines of one model set take up to 1 GB; free some space")
        else:
            yield Finding("disk", "ok", text)


def check_text(config: Config) -> Iterator[Finding]:
    """The lexicon, the polyphone model and the content rules, as the daemon would load them."""
    lexicon = open_lexicon(config)
    with ExitStack() as stack:
        front_end_for(config, stack)
    words = sum(len(entries) for entries in merged(config.text.lexicon, lexicon.added()).values())
    extra = f", polyphones by {config.text.polyphones}" if config.text.polyphones else ""
    yield Finding("text", "ok", f"{words} words in the lexicon{extra}")


def check_model(config: Config) -> Iterator[Finding]:
    model = find_model_set(config.models.dir, config.models.name)
    verify_model_set(model)
    files = len(model.files)
    text = f"{model.name} {model.version} ({model.family}, {model.precision}): {files} files are as the manifest says"
    yield Finding("model", "ok", text)
    yield from _check_voice(config, model)


def check_telemetry(telemetry: Telemetry, trouble: str = "") -> Iterator[Finding]:
    """Heat, power mode, and what slows the device down. `trouble`: why not all of it could be read."""
    if trouble:
        yield Finding("device", "warning", trouble, "`systemctl status jtop`; put the user into the group jtop")
    values = {
        "hottest zone": _unit(telemetry.temperature_c, "°C"),
        "power": _unit(telemetry.power_w, "W"),
        "power mode": telemetry.power_mode,
        "GPU load": _unit(telemetry.gpu_load_percent, "%"),
        "memory in use": _unit(telemetry.memory_used_mb, "MB"),
        "of": _unit(telemetry.memory_total_mb, "MB"),
    }
    known = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
    hot = telemetry.temperature_c is not None and telemetry.temperature_c >= _HOT_C
    if hot:
        yield Finding("device", "warning", known, "look at fan and airflow: it is about to slow down")
    else:
        yield Finding("device", "ok", known or "this machine shows no temperatures, power or load")
    for reason in telemetry.throttles:
        advice = "let it cool" if reason.startswith("heat") else "sudo nvpmodel -m 0 (MAXN), then sudo jetson_clocks"
        yield Finding("device", "warning", reason, advice)


def _check_voice(config: Config, model: ModelSet) -> Iterator[Finding]:
    catalogue = open_voices(config, model).catalogue
    known = catalogue.ids()
    listed = ", ".join(known) or "none"
    if config.voice is not None and config.voice not in known:
        yield Finding("voice", "warning", f"there is no voice '{config.voice}'", f"correct `voice`; known: {listed}")
    elif not known:
        yield Finding("voice", "warning", "nobody can speak yet", "enroll a voice: `edge-ttsd enroll --help`")
    else:
        yield Finding("voice", "ok", f"can speak: {listed}")
    deleted = ", ".join(f"{one.name or 'damaged'} ({one.ref.id})" for one in catalogue.deleting())
    if deleted:
        advice = "`edge-ttsd voices undelete ID` brings one back; `edge-ttsd voices list` says until when"
        yield Finding("voice", "warning", f"about to be deleted for good: {deleted}", advice)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:.0f} {unit}"
