"""From an accepted request to the loudspeaker.

Read `job_queue`, `journal` and `finished_ids` (nothing is lost or spoken twice), `worker`, `service` and `on_demand`
(own the networks), `phrase_cache`, `cue` (an audible mark), `player` (plays), `output_device` (owns the
loudspeaker), `ducking`, `internal_jobs`, `settings`, `request_records` (for a day), `results`, `bucket_results` and
`result_sink` (sound that is kept for its caller).
"""
