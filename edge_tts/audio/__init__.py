"""Audio devices and files, resampling, and the signal features that networks are fed.

Read `devices`, `microphone_thread`, `sound_files`, `wave` (WAV, resampling), `pipe`, `chime`, `loudness`, `features`;
`provenance` and `metadata` (what files say of themselves), `inaudible_mark`.
"""
