"""A fleet without hardware. Read `device` (one of them), `world` (bucket, broker, time), `simulation`."""
