"""Upstream checkpoints become model sets: read as data, written as ONNX graphs with numpy and onnx alone.

    from edge_tts.convert.model_set import Options, Sources, convert
    convert(Sources(gpt=..., sovits=...), Path("models/mine"), Options(name="mine"))

Read `model_set` (a whole set) and `graph_writer` (which file becomes which graphs); `checkpoint` hands out arrays,
`builder` and `layers` write graphs, `ports` declares their inputs and outputs; one module per network joins them.
"""
