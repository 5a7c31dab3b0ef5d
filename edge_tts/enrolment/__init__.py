"""From a press of the button to a new voice.

Read `enrolment` (the steps), `recorder` (tone, microphone, end of speech), `prompts`, `voice_writer`, `button`.
"""
