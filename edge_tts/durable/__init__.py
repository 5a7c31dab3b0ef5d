"""Files that survive a power cut. Knows nothing of their contents.

Read `atomic` and `replacing` (one file), `folders` (whole folders, a lock, a log).
"""
