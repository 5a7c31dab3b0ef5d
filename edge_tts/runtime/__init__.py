"""What every part shares. Read `runtime`, `part`, `event_bus`, `health`, `telemetry`, `log_lines`, `service_level`."""
