"""Speech over HTTP, as OpenAI's and GPT-SoVITS' clients ask for it.

Read `http_server` (the listener), `http_door` (what is at which path), `tokens` (who asks), `speech_payloads` (what
is asked for), `speech_response` (sound on its way to a caller), `answers` (everything else), `openapi` and `page`
(the owner's).
"""
