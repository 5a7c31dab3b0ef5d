"""What every running part shares: threads that start, stop and fail in one way, events, signs of life, telemetry.

Read `part`, then `event_bus`, `health`, `telemetry`.
"""
