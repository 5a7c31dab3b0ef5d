"""GPT-SoVITS itself, or a fork of its layout (gpt-sovits-cpufast): PyTorch, called as by its own TTS class."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import torch

from .serving import (
    BERT_WIDTH,
    PROMPT_PHONEMES,
    PROMPT_TOKENS,
    CannotError,
    Contender,
    Watch,
    phoneme_ids,
    sentences,
    serve,
    speak_whole,
    token_ids,
)

_BINS, _REFERENCE_FRAMES = 1025, 250
_PIECE, _OVERLAP = 16, 2
"""Upstream's smallest piece when it streams, and its overlap, in tokens."""
_END = 1024


class Upstream(Contender):
    cannot: ClassVar = {
        "text": "its front end needs data that is not part of the code",
        "bert": "no weights of a BERT were made for it",
        "rows": "its batches pad sentences to one length and were not adapted",
        "distance": "not measured",
        "latent": "its decode does all of it",
        "wave": "its decode does all of it",
    }

    def __init__(self, gpt: Any, sovits: Any, about: str) -> None:
        self._gpt, self._sovits, self.about = gpt, sovits, about
        self._gpt.EOS = -1  # speaks on until it is stopped
        torch.manual_seed(1)
        self._reference = [torch.rand(1, _BINS, _REFERENCE_FRAMES)]
        self._prompt = torch.tensor([token_ids(PROMPT_TOKENS)])
        self._streams = "streaming_mode" in signature(gpt.infer_panel_naive).parameters and hasattr(
            sovits, "decode_streaming"
        )
        if not self._streams:
            self.about += "; a sentence comes whole"

    def prefill(self, seconds: float) -> dict[str, Any]:
        ((phonemes, _),) = sentences(seconds)
        with Watch() as watch:
            self._decode(phonemes, 1)
        return watch.answer()

    def tokens(self, seconds: float) -> dict[str, Any]:
        """What the whole takes less what the prompt and the first token take."""
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
        if not (stream and self._streams):
            return speak_whole(self._say, seconds)
        first = None
        with Watch() as watch:
            for phonemes, tokens in sentences(seconds):
                for _ in self._pieces(phonemes, tokens):
                    first = first or watch.so_far()
        return watch.answer(first=first, audio_s=seconds)

    def _say(self, phonemes: int, tokens: int) -> None:
        self._vocode(self._decode(phonemes, tokens)[None, :, -tokens:], phonemes)

    def _decode(self, phonemes: int, tokens: int) -> Any:
        with torch.no_grad():
            found = self._gpt.infer_panel_naive(*self._inputs(phonemes), **_sampling(tokens))
            spoken, _ = found if isinstance(found, tuple) else next(found)  # a generator since it streams
        return spoken.clamp(max=_END - 1)

    def _vocode(self, codes: Any, phonemes: int) -> None:
        with torch.no_grad():
            self._sovits.decode(codes, _ids(phonemes), self._reference)

    def _pieces(self, phonemes: int, tokens: int) -> Iterator[Any]:
        """As its TTS class streams in pieces of fixed length, without the cross-fade, which costs little."""
        so_far: list[Any] = []
        latent = None
        pieces = self._gpt.infer_panel_naive(
            *self._inputs(phonemes), **_sampling(tokens), streaming_mode=True, chunk_length=_PIECE
        )
        with torch.no_grad():
            for piece, last in pieces:
                if piece is None:
                    break
                so_far.append(piece.clamp(max=_END - 1))
                new = None if latent is None else piece.shape[-1] + _OVERLAP
                audio, latent, _ = self._sovits.decode_streaming(
                    torch.cat(so_far, dim=-1).unsqueeze(0),
                    _ids(phonemes),
                    self._reference,
                    result_length=new,
                    overlap_frames=None if latent is None else latent[:, :, -2 * _OVERLAP :],
                    padding_length=0,
                )
                yield audio
                if last:
                    break

    def _inputs(self, phonemes: int) -> tuple[Any, ...]:
        ids = torch.tensor([phoneme_ids(PROMPT_PHONEMES + phonemes)])
        return ids, torch.tensor([ids.shape[1]]), self._prompt, torch.zeros(1, BERT_WIDTH, ids.shape[1])


def open_upstream(job: dict[str, Any]) -> tuple[Contender, Watch]:
    """A checkout or an installed package, whose folder GPT_SoVITS is found on the path. Loads as its TTS class does."""
    found = importlib.util.find_spec("GPT_SoVITS")
    if found is None or not found.submodule_search_locations:
        raise CannotError("there is no folder GPT_SoVITS where it was said to be")
    home = Path(next(iter(found.submodule_search_locations)))
    sys.path[:0] = [str(home), str(home.parent)]
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    with Watch() as watch:
        contender = Upstream(_gpt(Path(job["gpt"])), _sovits(Path(job["sovits"])), _about())
    return contender, watch


def _gpt(path: Path) -> Any:
    from AR.models.t2s_lightning_module import (  # type: ignore[import-not-found]  # the peer's own modules
        Text2SemanticLightningModule as Gpt,
    )

    stored = torch.load(path, map_location="cpu", weights_only=False)
    options = {name: False for name in ("build_t2s_transformer", "build_h_module") if name in signature(Gpt).parameters}
    gpt = Gpt(stored["config"], "****", is_train=False, **options)
    if options:
        gpt.load_inference_only_state_dict(stored["weight"])
        gpt.model.release_inference_only_unused_modules()
    else:
        gpt.load_state_dict(stored["weight"])
    return gpt.float().eval().model


def _sovits(path: Path) -> Any:
    from module.models import SynthesizerTrn  # type: ignore[import-not-found]

    stored = torch.load(path, map_location="cpu", weights_only=False)
    data, train, model = (stored["config"][name] for name in ("data", "train", "model"))
    sovits = SynthesizerTrn(
        data["filter_length"] // 2 + 1,
        train["segment_size"] // data["hop_length"],
        n_speakers=data["n_speakers"],
        **{**model, "version": "v2", "semantic_frame_rate": "25hz"},
    )
    sovits.load_state_dict(stored["weight"], strict=False)
    if hasattr(sovits.dec, "remove_weight_norm"):
        sovits.dec.remove_weight_norm()
    return sovits.float().eval()


def _sampling(tokens: int) -> dict[str, Any]:
    """It stops once there are more tokens than `early_stop_num`."""
    return {"top_k": 15, "top_p": 1.0, "temperature": 1.0, "early_stop_num": tokens - 1}


def _ids(count: int) -> Any:
    return torch.tensor([phoneme_ids(count)])


def _about() -> str:
    try:
        name = f"gpt-sovits-cpufast {version('gpt-sovits-cpufast')}"
    except PackageNotFoundError:
        name = "GPT-SoVITS"
    return f"{name}, torch {torch.__version__}"


if __name__ == "__main__":
    serve(open_upstream)
