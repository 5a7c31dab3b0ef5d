"""MQTT: the one home of paho.

Read `client` (a client as configured), `link` (moves bytes between the broker and the dispatcher), `probe` (asks the
broker what the link will need of it).
"""
