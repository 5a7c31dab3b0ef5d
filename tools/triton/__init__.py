"""Writes a model set as a model repository of NVIDIA's Triton Inference Server.

Read `repository` (what is written), `batched` (graphs whose first axis is a batch), `config` (config.pbtxt), then the
models that run inside Triton: `speech_model` and `network_model`.
"""
