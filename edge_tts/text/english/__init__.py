"""English: written text -> spoken text -> ARPAbet.

Read `language` (the two functions that the front end calls), then `normalize` and what it draws on (`number_rules`,
`numbers`, `units`, `calendar`), then `words` and where a word goes that the dictionary lacks (`inflection`,
`compounds`, `neural_g2p`); `homographs` chooses between two readings of one spelling.
"""
