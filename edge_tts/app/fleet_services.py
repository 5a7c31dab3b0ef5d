"""The device's side of releases, as configured."""

from __future__ import annotations

import time
from random import Random

from edge_tts.app.voice_services import quality_folder
from edge_tts.config import Config
from edge_tts.fleet.agent import FleetAgent, Shows
from edge_tts.fleet.device_overlay import DeviceOverlay
from edge_tts.fleet.device_sets import DeviceSets
from edge_tts.fleet.member import Member
from edge_tts.fleet.overlay_rollout import GroupMember, OverlayRollout
from edge_tts.fleet.remembered import RememberedFile
from edge_tts.fleet.rollout import Participant, Rollout
from edge_tts.fleet.signing import Trust
from edge_tts.model_sets.change import ModelChange
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.runtime.runtime import Runtime
from edge_tts.voices.local_voices import bucket_opener


def fleet_agent(
    config: Config, runtime: Runtime, choice: ModelChoice, change: ModelChange, overlay: DeviceOverlay | None
) -> FleetAgent | None:
    """None without public keys, or without a bucket."""
    fleet, open_bucket = config.fleet, bucket_opener(config)
    if not fleet.public_keys or open_bucket is None:
        return None
    trust, file = Trust(fleet.public_keys, fleet.signers), RememberedFile(config.state_dir / "fleet.json")

    def make_member(agent: Shows) -> Member:
        sets = DeviceSets(
            config=config,
            runtime=runtime,
            choice=choice,
            change=change,
            quality=quality_folder(config),
            go_on=agent.go_on,
        )
        who = Participant(device=config.device, trust=trust, auto=fleet.auto, models=config.models.dir)
        rollout = Rollout(who=who, file=file, sets=sets, show=agent.show_release, clock=time.time)
        overlays = None
        if overlay is not None and fleet.group is not None:
            overlays = OverlayRollout(
                who=GroupMember(trust=trust, group=fleet.group, auto=fleet.auto),
                device=overlay,
                file=file,
                show=agent.show_overlay,
                restart=sets.restart,
                clock=time.time,
            )
        return Member(
            device=config.device,
            rollout=rollout,
            overlays=overlays,
            p95_s=lambda: _p95_s(runtime),
            clock=time.time,
        )

    return FleetAgent(
        runtime=runtime,
        make_member=make_member,
        open_bucket=open_bucket,
        interval_s=fleet.interval_s,
        random=Random(),
    )


def _p95_s(runtime: Runtime) -> float | None:
    """Until the first sound, of the last day's requests."""
    p95_s: float | None = runtime.events.state.service_level.get("day", {}).get("first_audio_p95_s")
    return p95_s
