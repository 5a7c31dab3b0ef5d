"""Which script a character belongs to."""

from __future__ import annotations

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff々〇"
KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
LATIN = "A-Za-zＡ-Ｚａ-ｚ\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
GREEK = "\u0370-\u03ff\u1f00-\u1fff"
DIGIT = "0-9０-９"
NUMERAL_SIGN = "¼-¾\u2070-\u209f\u2150-\u218b\u2460-\u24ff\u2776-\u2793\u3200-\u32ff"
"""RecentContents of regular expression classes."""

_WIDE = re.compile(f"[{HAN}{KANA}{HANGUL}]")


def is_wide(character: str) -> bool:
    """Whether a character is about a syllable."""
    return _WIDE.match(character) is not None
