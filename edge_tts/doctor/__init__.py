"""`edge-ttsd doctor`: look at everything, run the golden phrases, say what is wrong and what to do about it.

Read `examine` (the order), `checks` and `broker` (what is looked at), `findings`, `report`.
"""
