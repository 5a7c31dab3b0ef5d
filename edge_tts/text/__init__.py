"""Text to phonemes: pure functions over strings, no devices, no network, no neural runtime.

    from edge_tts.text.front_end import TextFrontEnd
    TextFrontEnd().segments("Hello.", "en")

Read `front_end` (text -> segments), `ssml`, `chunking` and `upstream_cuts` (where a text is cut), `language_runs`
(which language is where), `lexicon` (the owner's own pronunciations), `symbols`; then one folder per language.

A language is a folder whose `language.py` has two functions, and one line in the table of `languages.py`:

    normalize(text: str) -> str                     written form to spoken form; never raises, drops no readable word
    phonemize(normalized: str) -> tuple[list[str], list[int] | None]
                                                    v2 symbols, and phonemes per character of `normalized`
                                                    (None where the language has no features aligned to characters)

Tables load on first use, so importing this package costs nothing and a language that is never spoken is never read.
"""
