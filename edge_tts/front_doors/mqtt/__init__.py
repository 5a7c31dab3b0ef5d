"""MQTT: the one home of paho.

Read `client` (a client as configured), `link` (between broker and dispatcher), `probe` (tests the broker).
"""
