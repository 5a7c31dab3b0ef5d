"""The parser and builder of TensorRT-RTX, which need no GPU, on the graphs of model sets.

Read `command` (the order), `child` (one build, in a process of its own), `record` (what it reports), `faults` (what is
wrong with it).
"""
