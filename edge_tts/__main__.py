"""`python -m edge_tts`: the same as `edge-ttsd`."""

import sys

try:
    from edge_tts.cli.main import main
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
