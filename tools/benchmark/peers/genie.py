"""Genie-TTS (package genie-tts): ONNX Runtime over graphs of its own, which it fills from upstream's checkpoints."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

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

_SSL_WIDTH, _SAMPLES = 768, 160_000
_ONE_GRAPH = "it vocodes in one graph, which reads the reference anew each time"
_FRONT_END = "its front end needs data that its package does not bring"


class Genie(Contender):
    cannot: ClassVar = {
        "latent": _ONE_GRAPH,
        "wave": _ONE_GRAPH,
        "text": _FRONT_END,
        "bert": _FRONT_END,
        "rows": "it decodes one sentence at a time",
        "distance": "it does not stream",
    }

    def __init__(self, model: Any) -> None:
        self._model = model
        self._names = [port.name for port in model.T2S_STAGE_DECODER.get_inputs()]
        self.about = f"genie-tts {version('genie-tts')}, onnxruntime {version('onnxruntime')}; a sentence comes whole"
        random = np.random.default_rng(1)
        self._ssl = 0.1 * random.standard_normal((1, _SSL_WIDTH, 2 * PROMPT_TOKENS), np.float32)
        self._reference = 0.1 * random.standard_normal((1, _SAMPLES), np.float32)

    def prefill(self, seconds: float) -> dict[str, Any]:
        ((phonemes, _),) = sentences(seconds)
        with Watch() as watch:
            self._start(phonemes)
        return watch.answer()

    def tokens(self, seconds: float) -> dict[str, Any]:
        ((phonemes, tokens),) = sentences(seconds)
        state = self._start(phonemes)
        with Watch() as watch:
            self._steps(state, tokens - 1)
        return watch.answer(count=tokens - 1)

    def vocode(self, seconds: float) -> dict[str, Any]:
        ((phonemes, tokens),) = sentences(seconds)
        codes = np.array([[token_ids(tokens)]], np.int64)
        with Watch() as watch:
            self._vocode(codes, phonemes)
        return watch.answer()

    def speak(self, seconds: float, stream: bool) -> dict[str, Any]:
        return speak_whole(self._say, seconds)

    def _say(self, phonemes: int, tokens: int) -> None:
        spoken = self._steps(self._start(phonemes), tokens - 1)[0]
        self._vocode(np.minimum(spoken[:, -tokens:], 1023)[None], phonemes)

    def _start(self, phonemes: int) -> list[Any]:
        x, prompts = self._model.T2S_ENCODER.run(
            None,
            {
                "ref_seq": _ids(PROMPT_PHONEMES),
                "text_seq": _ids(phonemes),
                "ref_bert": np.zeros((PROMPT_PHONEMES, BERT_WIDTH), np.float32),
                "text_bert": np.zeros((phonemes, BERT_WIDTH), np.float32),
                "ssl_content": self._ssl,
            },
        )
        state: list[Any] = self._model.T2S_FIRST_STAGE_DECODER.run(None, {"x": x, "prompts": prompts})
        return state

    def _steps(self, state: list[Any], count: int) -> list[Any]:
        """As its own loop, but to a given length instead of the end token."""
        for _ in range(count):
            tokens, embedding, _stop, *cache = self._model.T2S_STAGE_DECODER.run(
                None,
                dict(zip(self._names, state)),  # noqa: B905 - Python 3.9 knows no strict
            )
            state = [tokens, embedding, *cache]
        return state

    def _vocode(self, codes: Any, phonemes: int) -> None:
        self._model.VITS.run(None, {"text_seq": _ids(phonemes), "pred_semantic": codes, "ref_audio": self._reference})


def open_genie(job: dict[str, Any]) -> tuple[Contender, Watch]:
    """Its graphs are filled by its own converter, once; loading is what its model manager does."""
    folder = Path(job["work"]) / "genie"
    _stand_ins(folder / "data")
    from genie_tts import ModelManager  # type: ignore[import-not-found]  # the peer's own package
    from genie_tts.Converter.v2.Converter import convert  # type: ignore[import-not-found]

    if not (folder / "model" / "t2s_encoder_fp32.onnx").exists():
        os.chdir(folder)  # for its cache
        convert(job["gpt"], job["sovits"], str(folder / "model"))
    _limit_threads(ModelManager.onnxruntime, job["threads"])
    with Watch() as watch:
        loaded = ModelManager.model_manager.load_character("bench", str(folder / "model"), "English")
    if not loaded:
        raise RuntimeError("it could not load the model that its converter has written")
    return Genie(ModelManager.model_manager.get("bench")), watch


def _stand_ins(data: Path) -> None:
    """The files without which it does not let itself be imported; what is measured reads none of them."""
    (data / "chinese-hubert-base").mkdir(parents=True, exist_ok=True)
    (data / "speaker_encoder.onnx").touch()
    os.environ["GENIE_DATA_DIR"] = str(data)


def _limit_threads(onnxruntime: Any, threads: int) -> None:
    """It leaves the number to the runtime."""
    make = onnxruntime.SessionOptions

    def options() -> Any:
        made = make()
        made.intra_op_num_threads = threads
        return made

    onnxruntime.SessionOptions = options


def _ids(count: int) -> Any:
    return np.array([phoneme_ids(count)], np.int64)


if __name__ == "__main__":
    serve(open_genie)
