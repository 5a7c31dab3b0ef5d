"""Turn GPT-SoVITS checkpoints into a model set of ONNX graphs. Needs neither torch nor a network connection."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from edge_tts.convert.model_set import Options, Sources, convert
from edge_tts.errors import EdgeTTSError
from edge_tts.model_folder import CPU_FLAVOUR
from tools.conversion.bar import Bar
from tools.conversion.half import convert_half
from tools.conversion.voice import VoiceFrom


def main() -> int:
    args = _arguments()
    started = time.monotonic()
    sources = Sources(gpt=args.gpt, sovits=args.sovits, hubert=args.hubert, bert=args.bert, eres2net=args.eres2net)
    options = Options(
        name=args.name or args.out.name, licence=args.licence, replace=args.replace, fused=args.flavour == CPU_FLAVOUR
    )
    voices = VoiceFrom(args.voice_from) if args.voice_from else lambda folder: ()
    bar = Bar(sys.stderr, sources, rounds=1 if args.precision == "fp32" else 2)
    try:
        if args.precision == "fp32":
            remarks = convert(sources, args.out, options, progress=bar.start, voices=voices)
        else:
            remarks = convert_half(sources, args.out, options, progress=bar.start, voices=voices)
    except EdgeTTSError as error:
        bar.abandon()
        print(f"convert: {error}", file=sys.stderr)
        return 1
    bar.finish()
    size = sum(path.stat().st_size for path in args.out.resolve().rglob("*") if path.is_file())
    for remark in remarks:
        print(f"note: {remark}")
    print(f"{args.out}: {size / 1e6:.1f} MB in {time.monotonic() - started:.1f} s")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/convert", description=__doc__)
    parser.add_argument("--gpt", type=Path, required=True, metavar="S1.ckpt", help="the GPT (semantic tokens)")
    parser.add_argument("--sovits", type=Path, required=True, metavar="S2.pth", help="SoVITS (tokens to sound)")
    parser.add_argument("--hubert", type=Path, metavar="DIR", help="chinese-hubert-base: makes voices from recordings")
    parser.add_argument("--bert", type=Path, metavar="DIR", help="chinese-roberta-wwm-ext-large: intonation of Chinese")
    parser.add_argument("--eres2net", type=Path, metavar="FILE", help="ERes2NetV2: makes voices for v2Pro, v2ProPlus")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the model set to make: models/NAME")
    parser.add_argument("--precision", choices=["fp32", "fp16"], default="fp32", help="fp16: half the size, for GPUs")
    parser.add_argument(
        "--flavour",
        choices=["plain", CPU_FLAVOUR],
        default="plain",
        help="cpu: add the graphs for processors, which a device otherwise makes by itself; for fp32",
    )
    parser.add_argument("--name", help="name of the set; default: the last part of --out")
    parser.add_argument("--licence", default="unknown", help="licence of the weights, as the manifest will state it")
    parser.add_argument("--replace", action="store_true", help="replace the model set that is there")
    parser.add_argument("--voice-from", type=Path, metavar="AUDIO", help="add a default voice with this timbre")
    args = parser.parse_args()
    if args.flavour == CPU_FLAVOUR and args.precision != "fp32":
        parser.error("--flavour cpu is for --precision fp32: float16 is for GPUs")
    return args


if __name__ == "__main__":
    sys.exit(main())
