"""From a press of the button to a new voice.

Read `enrolment` (the steps), `recorder` (tone, microphone, end of speech), `consent_check` (of the words), `prompts`,
`voice_writer`, `button`.
"""
