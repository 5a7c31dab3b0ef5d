"""Upstream checkpoints become model sets: read as data, written as ONNX graphs with numpy and onnx alone.

    from edge_tts.convert.model_set import Options, Sources, convert
    convert(Sources(gpt=..., sovits=...), Path("models/mine"), Options(name="mine"))

`checkpoint` hands out arrays, `builder` and `layers` write graphs, one module per network joins the two, `networks`
knows which file becomes which graphs, `model_set` makes a whole set of them.
"""
