"""Files that survive a power cut. Knows nothing of their contents.

Read `atomic` (one file replaced whole), `folders` (whole folders appear and go), `files` (new files, logs), `lock`,
`hashes`, `state_file` (a small record kept over a restart); `fsync` is what they stand on.
"""
