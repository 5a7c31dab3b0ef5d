"""Two-way sync of voices with a bucket of immutable objects named by their hash.

Read `plan` (a pure function), `executor`, `bucket` and `folder_bucket`, `credentials`, `notes` (kept between two
syncs), `voice_sync` (one sync), `sync_thread` (when), `abandonable` (for a disk that does not answer).
"""
