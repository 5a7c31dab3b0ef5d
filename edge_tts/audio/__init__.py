"""Sound outside the networks: devices, files, resampling, and the signal features that networks are fed.

Read `devices` (loudspeaker, microphone), `microphone_thread`, `sound_files`, `wave` (WAV, resampling), `features`.
"""
