"""How requests come in: a front door parses, checks and submits.

Read `dispatcher`, `payloads` (bytes -> checked records), `voice_commands`, `mqtt/` (the broker), `home_assistant/`
(its discovery), `hermes`, `wyoming/`, `http/` and what they share, `session_context` (callers that get the sound),
`press_socket` (programs on this machine), `past_requests` (what became of a request).
"""
