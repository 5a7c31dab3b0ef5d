"""How fast a model set is on this machine, stage by stage, beside the least that it needs and other programs.

Each contender (our own set in a flavour, another program) is a process that answers tasks: `ours`, `floor`, and below
`peers`, which needs nothing of ours. `command` asks them in turn, round by round, so that ratios hold on a machine that
has other work; `metrics` says what is asked and what is made of it. Read in this order: `command`, `metrics`,
`contender`, `peers/serving`, `ours`.
"""
