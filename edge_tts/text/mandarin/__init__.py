"""Mandarin: written text -> spoken text -> pinyin -> v2 symbols.

Read `language`, then `normalize` and its rules (`numbers`, `units`, `dates`, `quantities`, `codes`, `characters`), then
`words`, `readings`, `polyphones`, `sandhi`, `neutral_tones`.
"""
