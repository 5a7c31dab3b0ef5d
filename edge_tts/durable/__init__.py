"""Files that survive a power cut.

Read `atomic` (one file), `folders`, `files` (new files, logs), `lock`, `hashes`, `state_file` (a record kept over a
restart); `fsync` is below them all.
"""
