"""English: written text -> spoken text -> ARPAbet.

Read `language`, then `normalize` and its rules (`number_rules`, `numbers`, `units`, `calendar`), then `words` and what
it does with unknown ones (`inflection`, `compounds`, `neural_g2p`), then `homographs`.
"""
