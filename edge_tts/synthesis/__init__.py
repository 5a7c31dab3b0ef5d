"""Segments and a voice in, waveform out: GPT-SoVITS over engines.

Read `synthesizer` (text -> AudioChunks) and `interfaces` (the protocols of a family of networks), then `t2s` and
`sampling` (phonemes -> semantic tokens), `sovits` and `stream` (tokens -> waveform), `bert` (features of Chinese text),
`encoder` (recording -> voice). `checked` loads graphs against their contract, `networks` those of a model set, `g2pw`
the polyphone network of the text front end.
"""
