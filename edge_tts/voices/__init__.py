"""Voices on disk: built-in, enrolled, deleted. Knows no networks.

Read `format` (what a voice consists of), `voice_folder`, `store` (add, rename, delete), `deletions`, `audit_log`,
`disk_reserve`, `archive` (export and import); then `builtin`, `feature_store`, `catalogue` (every voice that can
speak now), `watch`; `encoding` and `pending_voices` have missing features made; `sync/` keeps a bucket the same.
"""
