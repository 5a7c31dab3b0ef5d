"""Voices on disk: built-in, enrolled, deleted.

Read `format` (the records), `voice_folder`, `store` (add, rename, delete), `deletions`, `disk_reserve`,
`archive` (export, import); then `builtin`, `feature_store`, `catalogue` (voices that can speak now), `watch`;
`encoding` and `pending_voices` make missing features; `sync/` syncs with a bucket.
"""
