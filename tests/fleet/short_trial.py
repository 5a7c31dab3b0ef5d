"""The daemon, but the trial of a model set says two sentences of each language with each set instead of twenty.

`run` is `edge-ttsd run`; with other arguments it is that trial, in place of `python -m edge_tts.fleet.hearing`.
"""

from __future__ import annotations

import sys

from edge_tts.cli.main import main
from edge_tts.fleet import hearing

if sys.argv[1] == "run":
    hearing.COMMAND = (sys.executable, __file__)
    sys.exit(main())
hearing.SENTENCES = {language: sentences[:2] for language, sentences in hearing.SENTENCES.items()}
sys.exit(hearing.main(*sys.argv[1:]))
