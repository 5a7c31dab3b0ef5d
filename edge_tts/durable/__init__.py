"""Files that survive a power cut.

Read `atomic`, `folders`, `files`, `lock`, `hashes`, `state_file`, `audit_log`; all stand on `fsync`.
"""
