"""The command line, `edge-ttsd`: arguments in, one call out. Read `main`, then `pronunciations`, `voices`, `sync`."""
