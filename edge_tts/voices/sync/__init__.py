"""Two-way sync of voices with a bucket of immutable objects named by their hash.

Read `plan` (a pure function), `executor`, `notes` (kept between two syncs), `voice_sync` (one sync), `sync_thread`
(when).
"""
