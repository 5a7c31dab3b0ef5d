"""A diagnosis as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from edge_tts.doctor.examine import Diagnosis

_MARKS = {"ok": "ok", "warning": "WARN", "broken": "FAIL"}


def as_text(diagnosis: Diagnosis) -> str:
    """Findings first, then the figures."""
    return "\n".join([*_findings(diagnosis), *_golden(diagnosis), *_plans(diagnosis), _verdict(diagnosis)])


def as_json(diagnosis: Diagnosis) -> str:
    """The same as one JSON object."""
    spoken = diagnosis.spoken
    values: dict[str, Any] = {
        "ok": not diagnosis.broken,
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "golden": [{**asdict(result), "summary": result.summary} for result in diagnosis.golden],
        "engines": [asdict(choice) for choice in diagnosis.choices],
        "plans": [{**asdict(plan), "path": str(plan.path)} for plan in diagnosis.plans],
        "spoken": {**asdict(spoken), "rtf": spoken.rtf} if spoken else None,
        "device_memory_mb": diagnosis.device_memory_mb,
        "telemetry": asdict(diagnosis.telemetry),
    }
    return json.dumps(values, indent=2, ensure_ascii=False)


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    for finding in diagnosis.findings:
        yield f"{_MARKS[finding.level]:5} {finding.check:9} {finding.text}"
        if finding.level != "ok" and finding.advice:
            yield f"{'':15} -> {finding.advice}"


def _golden(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.golden:
        return
    runs_on = {choice.graph: choice.runs_on for choice in diagnosis.choices}
    yield "\nGolden phrases: milliseconds per run, median / 95 % / 99 %"
    yield f"{'graph':12} {'runs on':22} {'TensorRT':>22} {'ONNX Runtime, CPU':>22}  comparison"
    for result in diagnosis.golden:
        compared = result.latency_ms[0] > 0
        mine = _times(result.latency_ms) if compared else "-"
        verdict = f"{'agrees' if result.agrees else 'REFUSED'}: {result.summary}" if compared else ""
        where = runs_on.get(result.graph, "-")
        yield f"{result.graph:12} {where:22} {mine:>22} {_times(result.reference_ms):>22}  {verdict}".rstrip()


def _plans(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.plans:
        yield "\nEngines on disk"
    if diagnosis.device_memory_mb:
        free, total = diagnosis.device_memory_mb
        yield f"{'':12} the GPU has {free:.0f} of {total:.0f} MB free"
    for plan in diagnosis.plans:
        size = plan.path.stat().st_size / 1e6 if plan.path.is_file() else 0.0
        cost = f"built in {plan.build_s:.0f} s with {plan.peak_memory_mb:.0f} MB"
        yield f"{plan.graph:12} {size:7.1f} MB, {cost}: {plan.path}"


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.broken:
        return "\nSomething is broken: see FAIL above."
    warned = any(finding.level == "warning" for finding in diagnosis.findings)
    return "\nIt works, with warnings." if warned else "\nAll is well."


def _times(times: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:.2f}" for value in times)
