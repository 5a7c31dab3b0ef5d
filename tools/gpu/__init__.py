"""`tools/gpu_day`: what can be proven and measured on any machine with an NVIDIA GPU, in nine minutes.

Read `command` (the order, the time), `part` (one part in a process of its own), `report` (what a part leaves), then the
parts: `machine`, `memory`, `provider`, `engines`, `training`; `sets` makes what they run, `page` shows what they found.
"""
