"""Many devices that take their model sets and a part of their configuration from a bucket nobody has to trust.

What counts is signed (`signing`); the bucket only carries it. A device without `fleet.public_keys` uses nothing of
this. Read `release` (what is signed), `signing`, `layout` (of the bucket), `publishing` (the operator's side); on a
device `rollout` (one look and what follows), `remembered`, `download`, `hearing`, `device_sets`, `member`, `agent`;
`overlay` (a signed part of config.yaml), `device_overlay`, `overlay_rollout`; `reports` and `overview`.
"""
