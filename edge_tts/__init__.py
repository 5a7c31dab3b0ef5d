"""A line of text arrives over MQTT, and the room hears it in a voice its owner enrolled."""

__version__ = "0.1.0"
