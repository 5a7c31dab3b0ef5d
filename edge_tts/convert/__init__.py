"""Upstream checkpoints become model sets: read as data and written as ONNX graphs, without torch.

    from edge_tts.convert.model_set import Options, Sources, convert
    convert(Sources(gpt=..., sovits=...), Path("models/mine"), Options(name="mine"))

Read `model_set` (a whole set) and `graph_writer` (which file becomes which graphs), then one module per network.
Below them: `checkpoint` reads arrays, `module`, `layers` and `builder` write graphs, `ports` their inputs and outputs.
"""
