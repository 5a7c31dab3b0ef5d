"""Voices and a cloud bucket, kept the same. Every object is immutable and named by its hash.

Read `plan` (what is to be done: a pure function), `executor` (does it), `bucket` and `folder_bucket` (where objects
lie), `credentials`, `notes` (what is remembered between two syncs), `voice_sync` (one sync), `sync_thread` (when to
sync), `abandonable` (a disk that does not answer).
"""
