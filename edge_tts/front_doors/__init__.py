"""How requests come in: a front door parses, checks and submits.

Read `dispatcher`, `payloads` (bytes -> checked records), `voice_commands`, `mqtt/` (the broker), `home_assistant/`
(its discovery), `wyoming/` (clients that play the sound themselves), `press_socket` (programs on this machine).
"""
