"""得, 地, 当, 一 and verbs said twice, by the words around: "must" or a complement, an adverb's mark or the ground, a
number or "a"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from edge_tts.text.mandarin.words import Word

_GOT = re.compile("[到了着过奖分知票病胜罪名第冠出个以意起体益失当高满零一二三四五六七八九十百千两几]")
"""After 得 these make it "to get"."""
_DEGREE = frozenset("很太更最非真好特极十挺不")
"""After 得 these begin a complement (跑得很快), unless "must" is certain."""
_OWNER = ("r", "t", "nr", "ns", "s", "f")
"""Parts of speech before which only a subject can stand: pronouns, times, names, places."""
_OBJECTS = frozenset("门车泳步班课饭学路街床家票菜衣厕澡手水药针书字船院医岗机牙脸碗地炉气电")
"""What many verbs of two characters end in (出门): their complement would need the verb once more."""
_MUST_AFTER = frozenset("就总都也还可又才便只准非必须")
_GAINED, _NEEDED = frozenset("获取赢难心所求博夺购只不"), frozenset("总非必")
"""Before 得 at the end of a word: what is gained (获得), what must be (总得)."""
_TAKING = frozenset("把拿将用")
_STEPS = frozenset(
    "先 再 把 给 本人 亲自 马上 立刻 立即 赶紧 赶快 尽快 及时 按 按时 由 经 经过 从 向 用 请 问 找 买 交 付 换 修 洗 带"
    " 重新".split()
)
"""After 得 these begin what must be done, never a complement."""
_PLACES = ("f", "s", "t", "r", "p", "q", "x")
"""Parts of speech behind which 地 is the ground."""
_INNER = re.compile("[^心获取觉值难不赢所博应非总夺求购使只]得.")
"""A word with a complement in it (跑得快)."""
_YI = re.compile(
    "一(?=[零〇幺一二三四五六七八九])|(?<=[零〇幺二三四五六七八九])一(?![两刻起下些点直边])|(?<=十)一(?![两刻起下些])"
    "|(?<=[统唯专划单归逐])一|(?<=年级)一(?=班)|一(?=月|号|日(?!三)|楼|年级|等[奖舱座]|单元|季度|班[的同])"
)


_YI_OF_MANY = re.compile("(?<![零〇幺第点十一二三四五六七八九])一(?=([百千万亿]))")
_EITHER_OR = re.compile(r"([\u4e00-\u9fff])不(?=\1)")


def particle_readings(words: Sequence[Word]) -> dict[int, str]:
    """Place -> reading of 得 and 地 that stand as words of their own or end another, and of 当 as "take for"."""
    chosen: dict[int, str] = {}
    at = 0
    taking = False
    for i, word in enumerate(words):
        before, after = words[i - 1] if i else None, words[i + 1] if i + 1 < len(words) else None
        if word.text == "得":
            chosen[at] = _got(before, after)
        elif len(word.text) == 2 and word.text[1] == "得" and word.text[0] in _GAINED | _NEEDED:
            chosen[at + 1] = "de2" if word.text[0] in _GAINED else "dei3"
        elif word.text == "当" and taking and before is not None and before.text not in _TAKING:
            chosen[at] = "dang4"
        elif _INNER.match(word.text):
            chosen[at + 1] = "de5"
        elif word.text[-1] == "地" and (len(word.text) > 1 or before):
            last = at + len(word.text) - 1
            chosen[last] = "de5" if _is_adverb(word, before, after) else "di4"
        taking = taking or word.text in _TAKING
        at += len(word.text)
    return chosen


def _got(before: Word | None, after: Word | None) -> str:
    """得: `dei3` must, `de2` to get, `de5` before a complement."""
    if _is_must(before, after):
        return "dei3"
    if after is not None and len(after.text) > 3:  # an idiom describes (写得一目了然)
        return "de5"
    described = before is not None and before.tag[:1] in ("v", "a") and before.tag != "vn"
    return "de2" if after is not None and _GOT.match(after.text) and not described else "de5"


def _is_must(before: Word | None, after: Word | None) -> bool:
    """A subject or adverb before it, a verb after it."""
    if after is None or after.tag == "x" or _GOT.match(after.text):
        return False
    if before is None or before.tag == "x":
        return True
    if before.text[-1] in _MUST_AFTER or after.text in _STEPS:
        return True
    if after.text[0] in _DEGREE and before.tag not in ("r", "t"):
        return False
    if before.tag in _OWNER or before.tag.startswith(("r", "nr")) or before.text[-1] == "们":
        return True
    if before.tag.startswith("n") and before.text != "气":
        return after.tag[:1] not in ("u", "x")
    with_object = len(before.text) == 2 and before.text[-1] in _OBJECTS
    return (with_object and after.tag[:1] != "a") or (before.tag == "vn" and after.tag[:1] == "r")


def _is_adverb(word: Word, before: Word | None, after: Word | None) -> bool:
    """地 as the mark of an adverb: behind a doubled, describing or adverbial word, with a verb to follow."""
    if len(word.text) > 1:
        stem = word.text[:-1]
        return word.tag.startswith("d") or (len(stem) > 1 and stem[-1] == stem[-2])
    if before is None:
        return False
    if len(before.text) > 1 and before.text[-1] == before.text[-2]:
        return True
    if after is None or after.tag == "x":
        return False
    return len(before.text) > 1 and before.tag[:1] not in _PLACES


def yi_and_bu(text: str) -> dict[int, str]:
    """Place -> reading of 一 and 不 where more than the next syllable counts.

    一 keeps its tone in numbers said digit by digit, at the end of a number, in dates and names, and changes before 百
    to 亿; 不 is light in 来不来.
    """
    return {
        **{m.start(): "yi4" if m[1] in "百千" else "yi2" for m in _YI_OF_MANY.finditer(text)},
        **{m.start(): "yi1" for m in _YI.finditer(text)},
        **{m.end() - 1: "bu5" for m in _EITHER_OR.finditer(text)},
    }


def said_twice(words: Sequence[Word]) -> Iterator[tuple[int, bool]]:
    """Places of syllables that are said twice, and whether the second is light: a verb's is (想想), an adjective's not
    (高高的)."""
    at = 0
    for word in words:
        if len(word.text) in (2, 3) and word.text[0] == word.text[1]:
            if word.tag[:1] == "v" and word.text != "处处":
                yield at, True
            elif word.tag[:1] in ("v", "a") or word.text.endswith("的"):
                yield at, False
        at += len(word.text)
