"""How requests come in. A front door parses, checks and hands on; it decides nothing else.

Read `dispatcher` (one message in, one call or one refusal out), `payloads` (bytes -> checked records),
`voice_commands`, `mqtt/` (the broker), `press_socket` (programs on this machine).
"""
