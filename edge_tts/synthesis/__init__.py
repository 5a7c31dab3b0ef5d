"""Segments and a voice in, waveform out: GPT-SoVITS over engines.

Read `synthesizer` (text -> AudioChunks) and `interfaces` (protocols of a family of networks), `t2s`, `t2s_fused`,
`sampling`, `batch` and `ahead` (phonemes -> semantic tokens, of several texts side by side), `sovits`, `stream`,
`wave_stream` and `lead` (tokens -> waveform), `bert` (features of Chinese text), `encoder` (recording -> voice),
`levels` (one loudness for all voices), `networks` (all of a model set, loaded by `checked`), `g2pw` (polyphones for
the front end).
"""
