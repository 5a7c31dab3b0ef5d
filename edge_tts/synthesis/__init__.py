"""Segments and a voice in, sound out: GPT-SoVITS over engines. Knows no devices, queues or network.

Read `synthesizer` (text -> AudioChunks), then `t2s` and `sampling` (phonemes -> semantic tokens), `sovits` and
`stream` (tokens -> waveform), `bert` (features of Chinese text). `encoder` makes a voice of a recording; `networks`
loads all of it for one model set; `g2pw` gives the text front end its polyphone network.
"""
