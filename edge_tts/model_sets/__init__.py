"""Model sets: read and verify them, judge their engines, change from one to another while the appliance runs.

Read `manifest`, `activation` and `golden` (engines against ONNX Runtime on golden phrases), `rehearsal` (a set speaks
unheard), `choice` (which set speaks), `change` (the steps of a change).
"""
