"""Judging recordings: is this one speaker, reading the sentence, loud and clean enough to become a voice?

Read `quality` (the gate), then what it asks: `signal_measures`, `vad`, `best_window`, `speaker_embedding`, `dnsmos`,
`mel`. `reference` and `clause_alignment` find the part of a recording that becomes the reference.
"""
