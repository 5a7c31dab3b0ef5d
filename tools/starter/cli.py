"""Command line of the training tool: one subcommand a stage, `all` for the whole way from nothing to a model set."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_tts.errors import EdgeTTSError

from .teachers.teacher import Teacher

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HELD_OUT = {"en": HERE / "test_sentences.txt", "zh": HERE / "test_sentences_zh.txt"}
"""Sentences that nobody trains on, by language."""
MINUTES = {"tokenizer": 40.0, "decoder": 140.0, "gpt": 120.0}
STAGES = ("speech", "data", "tokenizer", "decoder", "gpt", "export", "evaluate")


def lines(path: Path) -> list[str]:
    """The sentences of a file, one a line."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parser() -> argparse.ArgumentParser:
    """What the tool understands."""
    made = argparse.ArgumentParser(prog="train_starter", description="Trains, exports and measures models/starter.")
    made.add_argument("stage", choices=(*STAGES, "show", "all"))
    made.add_argument("--work", type=Path, default=ROOT / "build" / "starter", help="folder of data and checkpoints")
    made.add_argument("--out", type=Path, default=ROOT / "models" / "starter", help="the model set")
    made.add_argument(
        "--minutes", type=float, help="budget over all resumed runs of a stage; on a CPU, of its threads' time"
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    made.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to torch")
    made.add_argument("--sentences", type=Path, help="evaluate: one sentence a line, instead of the test sentences")
    made.add_argument("--language", choices=tuple(HELD_OUT), default="en", help="evaluate: of --sentences")
    made.add_argument(
        "--page",
        type=Path,
        default=ROOT / "docs" / "starter",
        help="show: folder of the page with sounds and spectrograms",
    )
    made.add_argument(
        "--teacher", choices=("flite", "kokoro"), help="speech: who reads (flite); evaluate: compare with it"
    )
    made.add_argument("--styles", type=Path, help="kokoro-js-1.2.1.tgz, which holds Kokoro's styles")
    made.add_argument("--hours", type=float, default=10.0, help="speech: of each language that the teacher speaks")
    return made


def teacher(options: argparse.Namespace, name: str) -> Teacher:
    """The one that is asked for, or else `name`. Raises RuntimeError that says what to install."""
    from .teachers.choose import choose

    return choose(options.teacher or name, styles=options.styles, threads=max(1, options.threads))


def evaluate(options: argparse.Namespace) -> None:
    """The model set with the test sentences, or with a file's own in one language."""
    from . import evaluate as stage

    own = options.sentences is None
    stage.run(
        options.out,
        {language: lines(path) for language, path in HELD_OUT.items()}
        if own
        else {options.language: lines(options.sentences)},
        quality=ROOT / "models" / "quality",
        work=options.work,
        record=own,
        teacher=teacher(options, "") if options.teacher else None,
    )


def speech(options: argparse.Namespace, held_out: Mapping[str, Sequence[str]]) -> None:
    """The test first, then as many hours as are wanted."""
    from . import stage_speech

    reader = teacher(options, "flite")
    stage_speech.record(options.work / "test", reader, stage_speech.examination(reader, held_out))
    every = [text for texts in held_out.values() for text in texts]
    stage_speech.run(options.work / "speech", reader, hours=options.hours, held_out=every, seed=options.seed)


def train(stage: str, options: argparse.Namespace) -> None:
    """A stage that needs torch."""
    import torch

    from . import stage_decoder, stage_export, stage_gpt, stage_tokenizer

    if options.threads:
        torch.set_num_threads(options.threads)
    if stage == "export":
        stage_export.run(options.work, options.out)
        return
    trained = {"tokenizer": stage_tokenizer.run, "decoder": stage_decoder.run, "gpt": stage_gpt.run}[stage]
    minutes = options.minutes if options.minutes is not None else MINUTES[stage]
    trained(options.work, minutes=minutes, seed=options.seed, device=options.device)


def run(stage: str, options: argparse.Namespace) -> None:
    """One stage. Stages are imported when they run: only those that train need torch."""
    held_out = {language: lines(path) for language, path in HELD_OUT.items()}
    if stage == "evaluate":
        evaluate(options)
    elif stage == "show":
        from . import stage_show

        stage_show.run(options.work, options.out, options.page)
    elif stage == "speech":
        speech(options, held_out)
    elif stage == "data":
        from . import stage_data

        stage_data.run(options.work / "speech", held_out=[text for texts in held_out.values() for text in texts])
        stage_data.run(options.work / "test", held_out=())
    else:
        train(stage, options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the stage that is asked for, or all in order."""
    options = parser().parse_args(arguments)
    try:
        for stage in STAGES if options.stage == "all" else (options.stage,):
            run(stage, options)
    except ModuleNotFoundError as missing:
        raise SystemExit(f"{missing.name} is not installed; the training tool needs: pip install .[train]") from missing
    except (EdgeTTSError, FileNotFoundError, RuntimeError) as wrong:
        raise SystemExit(f"{options.stage}: {wrong}") from wrong


if __name__ == "__main__":
    main()
