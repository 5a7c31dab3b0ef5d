"""A press of the button becomes a voice: invitation, recording, verdict, encoding, answer.

Read `enrolment` (the steps), `recorder` (tone, microphone, end of speech), `prompts` (what is said), `voice_writer`
(what is stored), `button` (GPIO, key, terminal).
"""
