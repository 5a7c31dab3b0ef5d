"""Mandarin: written text -> spoken text -> pinyin -> v2 symbols.

Read `language`, then `normalize` and its rules (`numbers`, `units`, `dates`, `short_dates`,
`quantities`, `named_numbers`, `codes`, `characters`), then `words`, `readings`, `contexts`, `particles`, `polyphones`,
`sandhi`, `neutral_tones`.
"""
