"""Home Assistant finds the device by itself. Read `discovery` (when), `payload` (what)."""
