"""All checks in order, then the golden phrases and one spoken sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from edge_tts.config import Config
from edge_tts.doctor.broker import check_broker
from edge_tts.doctor.checks import (
    check_audio,
    check_disk,
    check_model,
    check_platform,
    check_telemetry,
    check_text,
    check_versions,
)
from edge_tts.doctor.findings import Finding, run_check
from edge_tts.doctor.remote_check import check_group, check_remote
from edge_tts.engine.load import EngineLoader, Placement
from edge_tts.engine.tensorrt.plan_cache import StoredPlan
from edge_tts.errors import EdgeTTSError
from edge_tts.graphs import BUILT
from edge_tts.model_sets.activation import a_voice, activate, compare, open_loader
from edge_tts.model_sets.flavour import optimized
from edge_tts.model_sets.golden import Agreement
from edge_tts.model_sets.manifest import find_model_set
from edge_tts.model_sets.proving import prove
from edge_tts.model_sets.rehearsal import Spoken, speak_phrase
from edge_tts.runtime.telemetry import Telemetry, TelemetryReader


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was found."""

    findings: tuple[Finding, ...]
    golden: tuple[Agreement, ...] = ()
    choices: tuple[Placement, ...] = ()
    plans: tuple[StoredPlan, ...] = ()
    spoken: Spoken | None = None
    device_memory_mb: tuple[float, float] | None = None
    """Free and total memory of the GPU after the networks were closed; a Jetson's CPU shares it."""
    telemetry: Telemetry = field(default_factory=Telemetry)

    @property
    def broken(self) -> bool:
        """Whether something keeps the appliance from working as configured."""
        return any(finding.level == "broken" for finding in self.findings)


Open = Callable[[Config], EngineLoader]


def diagnose(
    config: Config,
    *,
    speak: bool = True,
    reader: TelemetryReader | None = None,
    open_engines: Open = lambda config: open_loader(config.engine),
    clock: Callable[[], float] = time.perf_counter,
) -> Diagnosis:
    """Run all checks; `speak` False leaves out engines and golden phrases. Raises no `EdgeTTSError`."""
    findings = list(_checks(config))
    with reader or TelemetryReader() as telemetry_reader:
        diagnosis = Diagnosis(tuple(findings))
        if speak and not any(finding.check == "model" and finding.level == "broken" for finding in findings):
            try:
                diagnosis = _speak(config, findings, open_engines, clock)
            except EdgeTTSError as error:
                advice = "`edge-ttsd models verify` compares the files; convert or install the set again"
                findings.append(Finding("speech", "broken", str(error), advice))
        telemetry = telemetry_reader.read()  # after the work, when heat shows
    findings += check_telemetry(telemetry, telemetry_reader.trouble)
    return replace(diagnosis, findings=tuple(findings), telemetry=telemetry)


def _checks(config: Config) -> Iterator[Finding]:
    yield from check_platform()
    yield from check_versions(wants_tensorrt=config.engine.execution == "tensorrt")
    yield from run_check("audio", lambda: check_audio(config), advice="see audio in config.yaml")
    yield from check_broker(config)
    if config.engine.execution == "remote":
        check = check_remote if config.remote.group is None else check_group
        yield from run_check("remote", lambda: check(config), advice="correct remote in config.yaml")
    yield from check_disk(config)
    yield from run_check(
        "text", lambda: check_text(config), advice="correct text.lexicon or text.polyphones in config.yaml"
    )
    advice = "`edge-ttsd models list` shows what is installed; correct models.dir and models.name, or install it again"
    yield from run_check("model", lambda: check_model(config), advice=advice)


def _speak(config: Config, findings: list[Finding], open_engines: Open, clock: Callable[[], float]) -> Diagnosis:
    """Compare the engines anew, then speak one sentence on the accepted ones."""
    model = find_model_set(config.models.dir, config.models.name)
    prove(model, config.engine, polyphones=config.text.polyphones)
    voice = a_voice(model)
    with open_engines(config) as loader:
        golden = activate(model, loader, again=True)
        if not golden:
            paths = {name: model.graph(name) for name in BUILT if model.graph(name).is_file()}
            golden = compare(model, voice, paths, loader, ())
        spoken = speak_phrase(optimized(model, config.engine, loader), voice, loader, clock)
        built = [loader.built(model.graph(name)) for name in BUILT]
        plans = tuple(plan for plan in built if plan is not None)
        findings += judge(golden, loader.choices, spoken)
        memory = loader.device_memory
        free_total = (memory[0] / 1e6, memory[1] / 1e6) if memory else None
        return Diagnosis((), tuple(golden), loader.choices, plans, spoken, free_total)


def judge(golden: list[Agreement], choices: tuple[Placement, ...], spoken: Spoken) -> Iterator[Finding]:
    """Findings about engines and speech."""
    for result in golden:
        if result.latency_ms[0] > 0 and not result.agrees:
            advice = "it is not used; ONNX Runtime speaks. Build it again: tools/build_engines --again"
            text = f"{result.graph}: the TensorRT engine disagrees with ONNX Runtime: {result.summary}"
            yield Finding("engines", "broken", text, advice)
    for choice in choices:
        if choice.reason:
            text = f"{choice.graph} runs on {choice.runs_on}: {choice.reason}"
            yield Finding("engines", "warning", text, "see docs/tensorrt.md")
    if spoken.audio_s == 0:
        yield Finding("speech", "broken", "the golden phrase gave no sound", "another model set or voice may speak")
    elif spoken.rtf > 1:
        text = f"speech takes {spoken.rtf:.1f} times as long as it lasts"
        yield Finding("speech", "warning", text, "pauses will be heard; use a smaller model set, a GPU or TensorRT")
    else:
        text = f"first sound after {spoken.first_audio_ms:.0f} ms, {spoken.rtf:.2f} s of computing per second of sound"
        yield Finding("speech", "ok", text)
