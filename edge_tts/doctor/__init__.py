"""`edge-ttsd doctor`: find out what is wrong and what to do about it.

Read `examine` (the order), `checks`, `broker`, `findings`, `report`, `speed` (the figures of a device).
"""
