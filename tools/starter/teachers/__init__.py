"""Teachers: synthesisers that read the training sentences aloud. Each is a plug-in behind `Teacher`.

Reading order: `teacher`, `words`, `kokoro_symbols`, `kokoro`, `flite`."""
