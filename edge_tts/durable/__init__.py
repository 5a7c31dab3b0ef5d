"""Files that survive a power cut.

Read `atomic`, `folders`, `files`, `lock`, `hashes`, `state_file`; all stand on `fsync`.
"""
