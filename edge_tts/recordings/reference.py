"""What of a recording becomes a voice's reference and what is said in it; one rule for buttons and for files.

It knows no devices and does not listen to the words: it is told what was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from edge_tts.recordings.clause_alignment import clause_marks
from edge_tts.recordings.quality import Cuts, QualityVerdict, Refusal
from edge_tts.values import Recording


class Judge(Protocol):
    """`QualityGate` in earnest."""

    def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict:
        """Whether the recording, or its best window, may become a voice."""

    def judge_whole(self, recording: Recording) -> QualityVerdict:
        """Whether the recording may be kept from the first word to the last."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The part of a recording that becomes the prompt, its words, and the proof of what was said in all."""

    verdict: QualityVerdict
    """On the part."""
    transcript: str
    """What is said in the part."""
    proof: QualityVerdict | None = None
    """On all that was said, where it has to be kept and the part is not all of it."""

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why the recording may not become a voice; none when it may. Each reason once."""
        found = (*self.verdict.refusals, *(self.proof.refusals if self.proof else ()))
        return tuple({refusal.code: refusal for refusal in reversed(found)}.values())[::-1]

    @property
    def recordings(self) -> Sequence[Recording]:
        """What is kept: the prompt first, the one in which all was said last."""
        return [self.verdict.recording, *([self.proof.recording] if self.proof else [])]


def choose_reference(judge: Judge, recording: Recording, text: str, *, keep_all: bool) -> Reference:
    """The reference in a recording of somebody who reads `text`: all of it, else the best window whose words are known.

    `keep_all`: the text is the speaker's consent, so that all of it has to be kept, whatever becomes the reference.
    """
    verdict = judge.judge(recording, cuts=partial(clause_marks, text))
    marks = clause_marks(text, verdict.found)
    words = text if verdict.whole else text[slice(*(marks[pause] for pause in verdict.part))].strip()
    proof = judge.judge_whole(recording) if keep_all and not verdict.whole else None
    return Reference(verdict, words, proof)
