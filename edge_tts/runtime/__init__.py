"""What every part shares. Read `runtime`, `part`, `repeated_part`, `event_bus`, `health`, `telemetry`, `log_lines`,
`service_level`."""
