"""Who may ask for what: every request and command is checked here, whichever way it comes in.

Alerts of callers whose `priorities` name `alert` are held to no hours and to no amounts, but are counted. The
device's own speech (invitations) is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address, ip_network

from edge_tts.config import AccessConfig, CallerRules
from edge_tts.errors import AccessError, UnknownVoiceError
from edge_tts.front_doors.quiet_hours import DailySpan, seconds_until
from edge_tts.front_doors.usage_ledger import Allowance, UsageLedger
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job import Meter
from edge_tts.values import Caller, Priority


class Access:
    """Thread-safe."""

    def __init__(
        self,
        config: AccessConfig,
        *,
        ledger: UsageLedger | None = None,
        resolve: Callable[[str], str] = str,
        shared: Callable[[str, str], bool] = lambda voice, name: True,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """`resolve`: name or id of a voice -> its id. `shared`: whether the voice of that id may speak here for a
        caller of that name, by its owner's word."""
        self._config, self._ledger, self._now = config, ledger or UsageLedger(), now
        self._resolve, self._shared = resolve, shared

    def enter(self, caller: Caller, command: str | None = None) -> None:
        """Whether a caller may ask at all, and by this command. Raises AccessError."""
        names = (caller.name, self._known(caller))
        if _is_listed(self._config.deny, names, caller.address):
            raise AccessError(f"{_said(caller)} may not ask for anything here (access.deny)", rule="access.deny")
        if self._config.allow and not _is_listed(self._config.allow, names, caller.address):
            raise AccessError(f"{_said(caller)} is not among those that may ask (access.allow)", rule="access.allow")
        self._require(caller, "doors", caller.door, f"come in by {caller.door}")
        if command is not None:
            self._require(caller, "commands", command, f"send the command {command}")

    def check(self, caller: Caller, request: SpeakRequest) -> None:
        """Whether it may have that said, by that voice, now. Raises AccessError."""
        allowance = self._allowance(caller)
        self._require(caller, "priorities", request.priority, f"speak with priority {request.priority}")
        if not self.may_use(caller, request.voice):
            self._refuse_voice(caller, request.voice, allowance)
        hours = allowance.rules.hours
        if hours is None or _is_free(allowance.rules, request.priority):
            return
        now, span = self._now(), DailySpan(hours)
        if now.time() not in span:
            wait_s = seconds_until(span.begin, now)
            rule = f"{allowance.where}.hours"
            text = f"{_said(caller)} may have something said at {hours} only; come back in {wait_s} s ({rule})"
            raise AccessError(text, rule=rule, retry_after_s=wait_s)

    def may_use(self, caller: Caller, voice: str) -> bool:
        """Whether a voice, by its id, is shared with a caller and among its own."""
        voices = self._allowance(caller).rules.voices
        named = voices is None or any(self._is(voice, query) for query in voices)
        return named and self._is_shared(caller, voice)

    def admit(self, caller: Caller, characters: int, priority: Priority) -> tuple[Meter, Callable[[], None]]:
        """Enter a request into its caller's account: what counts its speech, and what takes it back. Raises
        QuotaError."""
        allowance = self._allowance(caller)
        at = self._ledger.take(allowance, characters, free=_is_free(allowance.rules, priority))
        return self.meter(caller, priority), lambda: self._ledger.give_back(allowance, characters, at)

    def meter(self, caller: Caller, priority: Priority) -> Meter:
        """Counts the speech of a request that was admitted before, perhaps by an earlier run."""
        allowance = self._allowance(caller)
        free = _is_free(allowance.rules, priority)
        return lambda seconds: self._ledger.hear(allowance, seconds, free=free)

    def owner(self, caller: Caller) -> str:
        """Whose its requests are: its name in the configuration, else nobody's."""
        return self._known(caller)

    def may_ask(self, owner: str, caller: Caller) -> bool:
        """Whether a caller may ask what became of a request of `owner`."""
        return owner in ("", self._known(caller))

    def save(self) -> None:
        self._ledger.save()

    def _known(self, caller: Caller) -> str:
        """Its name in the configuration, or none."""
        if caller.name in self._config.callers:
            return caller.name
        if not caller.name and caller.address:
            for name, rules in self._config.callers.items():
                if _is_listed(rules.addresses, (), caller.address):
                    return name
        return ""

    def _allowance(self, caller: Caller) -> Allowance:
        """Over MQTT a caller that is not in the configuration could call itself anything: those share one account."""
        known = self._known(caller)
        if known:
            return Allowance(known, self._config.callers[known], f"access.callers.{known}", named=True)
        itself = "callers" if caller.door in ("mqtt", "hermes") else caller.name or _network(caller.address)
        return Allowance(f"{caller.door} {itself}", self._config.default, "access.default", named=False)

    def _require(self, caller: Caller, key: str, wanted: str, what: str) -> None:
        allowance = self._allowance(caller)
        listed = getattr(allowance.rules, key)
        if listed is not None and wanted not in listed:
            rule = f"{allowance.where}.{key}"
            raise AccessError(f"{_said(caller)} may not {what} ({rule})", rule=rule)

    def _is(self, voice: str, query: str) -> bool:
        with suppress(UnknownVoiceError):  # deleted, or of a name that two voices have
            return self._resolve(query) == voice
        return False

    def _is_shared(self, caller: Caller, voice: str) -> bool:
        return any(self._shared(voice, name) for name in {caller.name, self._known(caller)})

    def _refuse_voice(self, caller: Caller, voice: str, allowance: Allowance) -> None:
        if not self._is_shared(caller, voice):
            text = f"the voice {voice} is not shared with {_said(caller)} on this device"
            raise AccessError(f"{text} (edge-ttsd voices share)", rule="voices share")
        rule = f"{allowance.where}.voices"
        raise AccessError(f"{_said(caller)} may not use the voice {voice} ({rule})", rule=rule)


def _is_free(rules: CallerRules, priority: Priority) -> bool:
    """Whoever is trusted with alerts by name has them heard."""
    return priority == "alert" and rules.priorities is not None and "alert" in rules.priorities


def _is_listed(listed: Sequence[str], names: Sequence[str], address: str) -> bool:
    return any(one in names or (address and _is_in(address, one)) for one in listed)


def _is_in(address: str, network: str) -> bool:
    with suppress(ValueError):  # it is a name
        return ip_address(address) in ip_network(network, strict=False)
    return False


def _network(address: str) -> str:
    """Of IPv6 a machine has as many addresses as it likes."""
    with suppress(ValueError):
        ip = ip_address(address)
        return str(ip_network(f"{ip}/64", strict=False)) if ip.version == 6 else address
    return address


def _said(caller: Caller) -> str:
    return f"the caller {caller.name}" if caller.name else f"a caller without a name ({caller})"
