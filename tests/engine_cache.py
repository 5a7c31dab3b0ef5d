"""A cache of engines that the tests of one process share: each model set is proved and optimized once."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

ENGINES = Path(tempfile.mkdtemp(prefix="edge-tts-engines-"))
atexit.register(shutil.rmtree, ENGINES, ignore_errors=True)

PLAIN = {"flavour": "plain", "cache_dir": str(ENGINES)}
"""`engine` of a configuration whose flavour is not at issue: the other one takes seconds to make."""
