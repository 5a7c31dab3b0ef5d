"""From an accepted request to the loudspeaker.

Read `job_queue`, `journal` and `finished_ids` (nothing is lost or spoken twice), `worker` (owns the networks),
`player` (owns the loudspeaker), `internal_jobs`, `settings`.
"""
