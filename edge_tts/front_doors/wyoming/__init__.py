"""The Wyoming protocol: Home Assistant and voice satellites have speech made here and play it themselves.

Read `server` (who may connect), `client_session` (one client), `protocol` (the library's events and
ours), `announcement` (multicast DNS). Its sound comes through `connection_sink`, which it shares.
"""
