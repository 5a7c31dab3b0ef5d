"""Judges recordings: one speaker, reading the sentence, loud and clean enough to become a voice.

Read `quality` (the gate) and what it imports; `spoken_words` compares the words; `reference` and `clause_alignment`
choose the part that becomes the reference.
"""
