"""Upstream checkpoints become model sets: read as data and written as ONNX graphs, without torch.

    from edge_tts.convert.model_set import Options, Sources, convert
    convert(Sources(gpt=..., sovits=...), Path("models/mine"), Options(name="mine"))

Read `model_set`, `opening`, `graph_writer`, then one module per network. Below: `checkpoint` reads arrays; `module`,
`layers`, `ports` and `builder` write graphs. `cpu_flavour` writes plain graphs anew for processors (`t2s_fused`,
`blocked`, `streamed`). Files are untrusted: `inspector` has a process of its own look at each (`inspection`,
`torch_file`, `pickled`, `safetensors_file`), which says where the arrays lie (`contents`).
"""
