"""`python -m edge_tts`: the same as `edge-ttsd`."""

import sys

from edge_tts.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
