"""From an accepted request to the loudspeaker: who is next, who does it, what is played.

Read `job_queue`, `journal` and `finished_ids` (no request is lost or spoken twice), then `worker` (owns the
networks), `player` (owns the loudspeaker), `internal_jobs` (the appliance's own words and work), `settings`.
"""
