"""Segments and a voice in, sound out: GPT-SoVITS over engines. Knows no devices, queues or network.

Read `synthesizer` (text -> AudioChunks) and `interfaces` (what it asks of a family of networks), then `t2s` and
`sampling` (phonemes -> semantic tokens), `sovits` and `stream` (tokens -> waveform), `bert` (features of Chinese text).
`encoder` makes a voice of a recording; `checked` loads graphs that keep their contract, `networks` all of one model
set; `g2pw` gives the text front end its polyphone network.
"""
