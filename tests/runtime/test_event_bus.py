"""The event bus: what a listener is told, and what of it is kept."""

from __future__ import annotations

from fakes import Notes

from edge_tts.runtime.event_bus import EventBus, State


def test_only_changes_of_the_state_are_told() -> None:
    """A listener starts with what stands; the same state twice is one notice; `facts` has the latest."""
    events, notes = EventBus(state=State()), Notes()
    events.subscribe(notes)
    events.update(waiting=1)
    events.update(waiting=1)
    events.retain("voices", {"default": "hum"})
    assert [topic for topic, _ in notes.retained] == ["state", "state", "voices"]
    assert events.retained()["state"]["waiting"] == 1
    assert events.state.waiting == 1
