"""What the daemon is like after a long time and many deaths. Read `house`, then `soaking` and `killing`."""
