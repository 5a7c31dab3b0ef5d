"""Which part of a recording becomes a voice's reference, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from edge_tts.recordings.clause_alignment import clause_marks
from edge_tts.recordings.quality import Check, Cuts, QualityVerdict, Refusal
from edge_tts.recordings.vad import SpeechSpan
from edge_tts.values import Recording


class Judge(Protocol):
    def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict: ...

    def judge_whole(self, recording: Recording) -> QualityVerdict: ...

    def speech(self, recording: Recording) -> Sequence[SpeechSpan]: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """The part that becomes the prompt, its words, and the proof of all that was said."""

    verdict: QualityVerdict
    transcript: str
    proof: QualityVerdict | None = None
    """On all that was said, where that must be kept and the part is less."""

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Each reason once."""
        refusals = (*self.verdict.refusals, *(self.proof.refusals if self.proof else ()))
        return tuple({refusal.code: refusal for refusal in reversed(refusals)}.values())[::-1]

    @property
    def checks(self) -> tuple[Check, ...]:
        """Each once: the proof's where only that fails."""
        failed = {check.code: check for check in (self.proof.checks if self.proof else ()) if not check.passed}
        return tuple(failed.get(check.code, check) if check.passed else check for check in self.verdict.checks)

    @property
    def recordings(self) -> Sequence[Recording]:
        """The prompt first, the proof last."""
        return [self.verdict.recording, *([self.proof.recording] if self.proof else [])]


def choose_reference(judge: Judge, recording: Recording, text: str, *, keep_all: bool) -> Reference:
    """The reference in a recording of `text`: all of it, else the best window whose words are known.

    `keep_all`: the text is the speaker's consent, so a proof of all of it is kept.
    """
    verdict = judge.judge(recording, cuts=partial(clause_marks, text))
    marks = clause_marks(text, verdict.spans)
    words = text if verdict.whole else text[slice(*(marks[pause] for pause in verdict.part))].strip()
    proof = judge.judge_whole(recording) if keep_all and not verdict.whole else None
    return Reference(verdict, words, proof)
