"""A fleet without hardware. Read `device` (one of them), `simulation`."""
