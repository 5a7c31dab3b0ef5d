"""What `import tensorrt` finds in a builder process of the tests: the fake, with the environment's fault."""

import os
import sys
import threading

from tests.engine.fake_tensorrt import Faults, fake_tensorrt

_fault = os.environ.get("FAKE_TENSORRT_FAULT", "")


def _hang() -> None:
    if _fault == "hang":
        threading.Event().wait()
    if _fault == "die":
        print("the builder fell over", file=sys.stderr, flush=True)
        os._exit(139)


_fake = fake_tensorrt(
    os.environ.get("FAKE_TENSORRT_VERSION", "10.3"),
    None,
    Faults(hang=_hang, out_of_memory_at_build=_fault == "out_of_memory"),
)
globals().update(vars(_fake))
