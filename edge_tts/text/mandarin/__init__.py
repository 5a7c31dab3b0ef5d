"""Mandarin: written text -> spoken text -> pinyin -> v2 symbols.

Read `language` (the two functions that the front end calls), then `normalize` and what it draws on (`numbers`,
`units`, `dates`, `quantities`, `codes`, `characters`), then `words`, `readings`, `polyphones`, `sandhi`,
`neutral_tones`.
"""
