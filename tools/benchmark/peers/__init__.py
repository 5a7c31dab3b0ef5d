"""Programs that speak with the same networks, one adapter each; run in the peer's own Python, so they import nothing
but the peer, what the peer needs, and `serving`."""
