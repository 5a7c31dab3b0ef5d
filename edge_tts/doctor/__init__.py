"""`edge-ttsd doctor`: look at everything, run the golden phrases, say what is wrong and what to do about it."""

from .examine import Diagnosis, diagnose
from .report import as_json, as_text

__all__ = ["Diagnosis", "as_json", "as_text", "diagnose"]
