"""The appliance put together. Nothing imports it but the command line.

Read `daemon`, then `voice_services` and `model_services`.
"""
