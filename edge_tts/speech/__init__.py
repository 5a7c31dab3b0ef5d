"""Segments and a voice in, sound out: the GPT, the SoVITS decoder and how they are streamed."""

from .synthesizer import Synthesizer, load_synthesizer

__all__ = ["Synthesizer", "load_synthesizer"]
