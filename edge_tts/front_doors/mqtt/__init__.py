"""MQTT: the one home of paho. Read `link`: it moves bytes between the broker and the dispatcher."""
