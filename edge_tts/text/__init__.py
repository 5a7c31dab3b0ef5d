"""Text to phonemes: pure functions over strings, but for the file of the words that were added.

    TextFrontEnd().segments("Hello.", "en")

Read `front_end`, then `ssml`, `chunking` and `upstream_cuts` (where a text is cut), `language_runs` (which language is
where), `pronunciation`, `lexicon`, `lexicon_file` (the owner's pronunciations), `symbols`; then a folder per language.

A language is a folder whose `language.py` has two functions, and one line in the table of `languages`:

    normalize(text: str) -> str                     written form to spoken form; never raises, drops no readable word
    phonemize(normalized: str) -> tuple[list[str], list[int] | None]
                                                    v2 symbols, and phonemes per character of `normalized`
                                                    (None: no features are aligned to characters)

What it may have besides is named in `languages` (`as_heard`, `explain`, `spell`, `check_spelling`, `forms`).

Tables load on first use.
"""
