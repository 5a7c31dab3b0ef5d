"""Text to phonemes: pure functions over strings, no devices, no network, no neural runtime.

    from edge_tts.text import TextFrontEnd
    TextFrontEnd().segments("Hello.", "en")

Where a language lives: `edge_tts/text/<language>.py` with two functions, and one line in the table of `languages.py`:

    normalize(text: str) -> str                     written form to spoken form; never raises, drops no readable word
    phonemize(normalized: str) -> tuple[list[str], list[int] | None]
                                                    v2 symbols, and phonemes per character of `normalized`
                                                    (None where the language has no features aligned to characters)

Tables load on first use, so importing this package costs nothing and a language that is never spoken is never read.
"""

from edge_tts.text.front_end import TextFrontEnd

__all__ = ["TextFrontEnd"]
