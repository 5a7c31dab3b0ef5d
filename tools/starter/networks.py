"""The three trained networks as they are at one moment: training may go on while they are exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import stage_decoder, stage_gpt, stage_tokenizer
from .decoder import Decoder
from .t2s import Teaching
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Networks:
    """All in evaluation mode, on the CPU."""

    tokenizer: Tokenizer
    decoder: Decoder
    gpt: Teaching

    @staticmethod
    def restore(work: Path) -> Networks:
        """From the checkpoints of the three stages."""
        return Networks(*(stage.restore(work, "cpu") for stage in (stage_tokenizer, stage_decoder, stage_gpt)))
