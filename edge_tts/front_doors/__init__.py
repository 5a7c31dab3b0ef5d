"""How requests come in: a front door parses, checks and submits.

Read `dispatcher`, `payloads` (bytes -> checked records), `voice_commands`, `mqtt/` (the broker), `press_socket`
(programs on this machine).
"""
