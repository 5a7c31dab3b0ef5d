"""gsv-tts-lite: PyTorch, by the calls that its own TTS class makes."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import MagicMock

import torch

from .serving import (
    BERT_WIDTH,
    PROMPT_PHONEMES,
    PROMPT_TOKENS,
    Contender,
    Watch,
    phoneme_ids,
    sentences,
    serve,
    speak_whole,
    token_ids,
)

_CONDITIONING = 512
_PIECE, _OVERLAP = 25, 5
"""Its defaults for streaming, in tokens; the overlap in frames."""
_END = 1024


class Lite(Contender):
    cannot: ClassVar = {
        "text": "its front end needs models that it would download",
        "bert": "its BERT is one that it would download",
        "rows": "its batches were not adapted",
        "distance": "not measured",
        "latent": "its decode does all of it",
        "wave": "its decode does all of it",
    }

    def __init__(self, gpt: Any, sovits: Any) -> None:
        self._gpt, self._sovits = gpt, sovits
        self._gpt.EOS = -1  # speaks on until it is stopped
        self._prompt = torch.tensor([token_ids(PROMPT_TOKENS)])
        self._ge = 0.1 * torch.randn(1, _CONDITIONING, 1)
        self.about = f"gsv-tts-lite {version('gsv-tts-lite')}, torch {torch.__version__}"

    def prefill(self, seconds: float) -> dict[str, Any]:
        """With one step, the least that it decodes."""
        ((phonemes, _),) = sentences(seconds)
        with Watch() as watch:
            self._decode(phonemes, 1)
        return watch.answer()

    def tokens(self, seconds: float) -> dict[str, Any]:
        ((phonemes, tokens),) = sentences(seconds)
        with Watch() as first:
            self._decode(phonemes, 1)
        with Watch() as whole:
            self._decode(phonemes, tokens)
        return {"wall": whole.wall - first.wall, "cpu": whole.cpu - first.cpu, "count": tokens - 1}

    def vocode(self, seconds: float) -> dict[str, Any]:
        ((phonemes, tokens),) = sentences(seconds)
        codes = torch.tensor([[token_ids(tokens)]])
        with Watch() as watch:
            self._vocode(codes, phonemes)
        return watch.answer()

    def speak(self, seconds: float, stream: bool) -> dict[str, Any]:
        if not stream:
            return speak_whole(self._say, seconds)
        first = None
        with Watch() as watch:
            for phonemes, tokens in sentences(seconds):
                for _ in self._pieces(phonemes, tokens, boost=first is None):
                    first = first or watch.so_far()
        return watch.answer(first=first, audio_s=seconds)

    def _say(self, phonemes: int, tokens: int) -> None:
        self._vocode(self._decode(phonemes, tokens), phonemes)

    def _decode(self, phonemes: int, tokens: int) -> Any:
        """Its loop has no limit, but its stream stops where it is left."""
        return next(self._stream(phonemes, tokens, boost=True))[0].clamp(max=_END - 1)

    def _pieces(self, phonemes: int, tokens: int, *, boost: bool) -> Any:
        """As its TTS class streams, without the cross-fade, which costs little."""
        done = 0
        for codes, _last in self._stream(phonemes, min(_PIECE, tokens), boost=boost):
            audio, attention = self._vocode(
                codes.clamp(max=_END - 1), phonemes, stream_mode=True, valid_start_idx=done, overlap_len=_OVERLAP
            )
            done = attention.shape[1] - _OVERLAP
            yield audio
            if codes.shape[-1] >= tokens:
                break
        self._sovits.enc_p.y_overlap = None

    def _stream(self, phonemes: int, piece: int, *, boost: bool) -> Any:
        ids = torch.tensor([phoneme_ids(PROMPT_PHONEMES + phonemes)])
        bert = torch.zeros(1, ids.shape[1], BERT_WIDTH)
        return self._gpt.infer_stream(ids, self._prompt, bert, stream_chunk=piece, boost_first_chunk=boost, debug=False)

    def _vocode(self, codes: Any, phonemes: int, **options: Any) -> Any:
        return self._sovits.decode(codes, torch.tensor([phoneme_ids(phonemes)]), self._ge, **options)


def open_lite(job: dict[str, Any]) -> tuple[Contender, Watch]:
    import transformers  # type: ignore[import-not-found,unused-ignore]  # noqa: F401 - before the stand-in, which it would look into

    for name in (
        "torchaudio",
        "torchaudio.compliance",
        "torchaudio.compliance.kaldi",
    ):  # nothing that is measured uses it
        sys.modules.setdefault(name, MagicMock())
    from gsv_tts.Config import Config  # type: ignore[import-not-found]  # the peer's own package
    from gsv_tts.Loader import get_gpt_weights, get_sovits_weights  # type: ignore[import-not-found]

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    config = Config()
    config.device, config.dtype = torch.device("cpu"), torch.float32
    config.use_flash_attn = False
    config.gpt_cache, config.sovits_cache = [(1, 512), (1, 768), (1, 1024), (4, 512), (4, 1024)], []
    with torch.inference_mode(), Watch() as watch:
        gpt = get_gpt_weights(str(Path(job["gpt"])), config).t2s_model
        sovits = get_sovits_weights(str(Path(job["sovits"])), config).vq_model
    return Lite(gpt, sovits), watch


def _stand_in_for_torchaudio() -> None:
    """It is imported, but nothing that is measured uses it."""
    import transformers  # type: ignore[import-not-found,unused-ignore]  # noqa: F401 - before, or it looks into it

    for name in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi"):
        sys.modules.setdefault(name, MagicMock())


if __name__ == "__main__":
    serve(open_lite)
