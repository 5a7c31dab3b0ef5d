"""The appliance put together. Read `daemon`, `appliance`, `voice_services`."""
