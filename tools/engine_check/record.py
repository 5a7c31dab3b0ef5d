"""What one build of the real builder was given, made and said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from edge_tts.engine.tensorrt.messages import expected

Shape = tuple[int, ...]

_MEMORY = re.compile(r"Total (Activation|Weights) Memory: (\d+) bytes")
_LAYERS = re.compile(r"After .*: (\d+) layers")
_PORTS = re.compile(r"(\w+) \((\w+)\[([\d,:-]*)\]\)")


@dataclass
class Port:
    """An input or output as the parser read it: element type of TensorRT, -1 for a size that varies."""

    dtype: str
    shape: Shape


@dataclass
class Build:
    """One graph through parser and builder."""

    graph: str
    error: str = ""
    """Why there is no engine."""
    opset: int = 0
    operators: dict[str, int] = field(default_factory=dict)
    """Operator, with its domain unless that is the default one -> how many."""
    inputs: dict[str, Port] = field(default_factory=dict)
    outputs: dict[str, Port] = field(default_factory=dict)
    profile: dict[str, list[Shape]] = field(default_factory=dict)
    """Input -> smallest, best and largest shape."""
    strongly_typed: bool = False
    flags: list[str] = field(default_factory=list)
    """Of the builder that were on: refit, TF32 and the like."""
    layers: int = 0
    """As parsed."""
    fused_layers: int | None = None
    """As built."""
    engine_inputs: dict[str, str] = field(default_factory=dict)
    """Input -> type and sizes of the built engine, `Half[-1,1,512]`; a vectorised format has a colon."""
    scratch_mb: float | None = None
    weights_mb: float | None = None
    engine_mb: float = 0.0
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    """Resident memory of the process at its largest."""
    complaints: list[str] = field(default_factory=list)
    """Warnings and errors that are not expected."""
    expected: dict[str, str] = field(default_factory=dict)
    """Expected warnings -> why they need nothing done."""

    def hear(self, severity: str, text: str) -> None:
        """Take what the builder said: a warning, or a line of its report."""
        if severity in ("WARNING", "ERROR", "CRITICAL"):
            self.complaints.append(f"{severity}: {text}")
        elif why := expected(text):
            self.expected[text] = why
        elif memory := _MEMORY.search(text):
            megabytes = int(memory[2]) / 1e6
            if memory[1] == "Weights":
                self.weights_mb = megabytes
            else:
                self.scratch_mb = megabytes
        elif layers := _LAYERS.search(text):
            self.fused_layers = int(layers[1])
        elif "Engine Layer Information" in text:
            found = {name: f"{kind}[{sizes}]" for name, kind, sizes in _PORTS.findall(text)}
            self.engine_inputs = {name: found[name] for name in self.inputs if name in found}
