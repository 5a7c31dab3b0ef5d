"""TensorRT engines: built on the device from ONNX, cached under a key, run through CUDA's runtime by ctypes.

Read `cuda` and `device_buffer` (memory), `trt_engine` and `context` (inference), `profiles`, `messages`,
`build` and `build_process` (ONNX -> engine), `plan_cache` and `machine` (what is cached, and for which machine).
"""
