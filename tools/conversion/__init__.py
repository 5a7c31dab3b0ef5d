"""What `tools/convert` needs beside the converter: a progress bar, a voice, the measuring of ranges."""
