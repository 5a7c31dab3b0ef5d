"""The commands `release ...`: what the operator of many devices does."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_tts.buckets.bucket import Bucket
from edge_tts.buckets.credentials import read_secrets
from edge_tts.config import Config, ConfigSource
from edge_tts.errors import ConfigError, FleetError, one_line
from edge_tts.fleet.overlay import Overlay, differences, overlaid
from edge_tts.fleet.overview import as_chart, as_table, as_verdict
from edge_tts.fleet.publishing import Published, Publisher
from edge_tts.fleet.release import Release, Terms, is_stopped
from edge_tts.fleet.reports import count_outcomes, read_reports
from edge_tts.fleet.signing import Trust, make_key
from edge_tts.schema import check, readable_json
from edge_tts.voices.local_voices import bucket_place

AddParser = Callable[..., argparse.ArgumentParser]

_UPLOAD_S = 3600.0
_SPAN = re.compile(r"([0-9]{1,5})([dhm])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60}


def command_key(arguments: argparse.Namespace, config: Config) -> int:
    """Make a key pair; print the public half."""
    public = make_key(arguments.file)
    print(f"{arguments.file} holds the private key: keep it off every device, and away from the bucket.")
    print(f"fleet.public_keys: [{public}]")
    return 0


def command_create(arguments: argparse.Namespace, config: Config) -> int:
    """Sign a model set and give it to a share of the devices."""
    folder = Path(arguments.set) if "/" in arguments.set else config.models.dir / arguments.set
    now = time.time()
    terms = _changed({"share": 100.0, "not_before": now, "expires": now + 30 * 86400}, arguments)
    with _publisher(config, arguments) as publisher:
        _tell(publisher.create(folder, terms, no_way_back=arguments.final, sent=lambda name: print(f"sent {name}")))
    return 0


def command_promote(arguments: argparse.Namespace, config: Config) -> int:
    """Give the current release to a larger share, or for longer. Raises FleetError for one that stopped itself."""
    with _publisher(config, arguments) as publisher:
        publisher.require_going(anyway=arguments.anyway)
        _tell(publisher.promote(lambda terms: _again(terms, arguments), no_way_back=arguments.final))
    return 0


def command_rollback(arguments: argparse.Namespace, config: Config) -> int:
    """Give out the release before the current one again."""
    with _publisher(config, arguments) as publisher:
        _tell(publisher.roll_back(lambda terms: _again(terms, arguments), to=arguments.to))
    return 0


def command_sign(arguments: argparse.Namespace, config: Config) -> int:
    """Show the release that waits for a signature, and with a key sign it."""
    with _publisher(config, arguments) as publisher:
        if arguments.overlay:
            return _sign_overlay(publisher, arguments)
        pending = publisher.pending()
        if pending is None:
            raise FleetError("no release waits for a signature")
        print(as_lines(pending))
        if arguments.key:
            _tell(publisher.cosign())
    return 0


def command_overlay(arguments: argparse.Namespace, config: Config) -> int:
    """Show what a part of the configuration changes for a group, and with --yes sign and publish it."""
    text, source = _read_text(arguments.file), ConfigSource({}, Path.cwd())
    with _publisher(config, arguments) as publisher:
        before = _overlay_given_out(publisher, arguments.group)
        after = overlaid(source, text)
        lines = differences(source.config() if before is None else overlaid(source, before.text), after)
        print("\n".join(lines) or "nothing changes")
        if not arguments.yes:
            print("Nothing was published; --yes does it.")
        elif publisher.publish_overlay(arguments.group, text, arguments.expires or time.time() + 30 * 86400):
            print(f"It needs one more signature: edge-ttsd release sign --overlay {arguments.group} --key FILE")
        else:
            print(f"The devices of {arguments.group} take it up.")
    return 0


def _overlay_given_out(publisher: Publisher, group: str) -> Overlay | None:
    """None for one that is not signed, too."""
    with suppress(FleetError):
        return publisher.overlay(group)
    return None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error


def command_status(arguments: argparse.Namespace, config: Config) -> int:
    """Print the release, what devices tell, and who speaks what. Status 1 when it was stopped or is forged."""
    with _bucket(config) as bucket:
        reports, unreadable = read_reports(bucket)
        current, trouble = _given_out(Publisher(bucket=bucket, trust=_trust(config)))
        ok, failed = (0, 0) if current is None else count_outcomes(bucket, current.number)
    if arguments.json:
        print(readable_json([report.model_dump(mode="json") for report in reports]))
        return 0
    print(trouble or ("nothing was released yet" if current is None else as_lines(current)))
    if current is not None:
        print(f"  {as_verdict(current, ok=ok, failed=failed)}")
    if reports:
        print(f"\n{as_table(reports, now=time.time())}\n\n{as_chart(reports)}")
    for path in unreadable:
        print(f"{path}: is no report of a device")
    stopped = current is not None and is_stopped(current.terms, ok=ok, failed=failed)
    return 1 if stopped or trouble else 0


def _given_out(publisher: Publisher) -> tuple[Release | None, str]:
    """The current release, or what is wrong with it."""
    try:
        return publisher.current(), ""
    except FleetError as forged:
        return None, f"what the bucket gives out {forged}: no device takes it; publish another one"


def _sign_overlay(publisher: Publisher, arguments: argparse.Namespace) -> int:
    pending = publisher.pending_overlay(arguments.overlay)
    if pending is None:
        raise FleetError(f"no overlay of {arguments.overlay} waits for a signature")
    print(f"for {pending.group}, until {as_time(pending.expires)}:")
    print("\n".join(one_line(line) for line in pending.text.splitlines()))
    if arguments.key and not publisher.cosign_overlay(arguments.overlay):
        print("It is given out.")
    return 0


@contextmanager
def _publisher(config: Config, arguments: argparse.Namespace) -> Iterator[Publisher]:
    """Raises ConfigError where no bucket or no public key is configured."""
    trust = _trust(config)
    with _bucket(config) as bucket:
        yield Publisher(bucket=bucket, trust=trust, keys=arguments.key)


def _trust(config: Config) -> Trust:
    if not config.fleet.public_keys:
        raise ConfigError("fleet.public_keys is empty; `edge-ttsd release key FILE` makes a key and prints it")
    return Trust(config.fleet.public_keys, config.fleet.signers)


def _bucket(config: Config) -> Bucket:
    place = bucket_place(config, timeout_s=_UPLOAD_S)
    if place is None:
        raise ConfigError("there is no bucket to release through: bucket.url is null")
    return Bucket(place=place, secrets=read_secrets(place.kind, os.environ))


def _again(terms: Terms, arguments: argparse.Namespace) -> Terms:
    """The terms of a release that is given out again: to all, for 30 days from now, unless told otherwise."""
    now = time.time()
    return _changed({**terms.model_dump(), "share": 100.0, "not_before": now, "expires": now + 30 * 86400}, arguments)


def _changed(values: dict[str, Any], arguments: argparse.Namespace) -> Terms:
    given = {name: value for name, value in vars(arguments).items() if name in Terms.model_fields}
    values |= {name: value for name, value in given.items() if value is not None}
    return check(Terms, values, error=FleetError, what="release")


def _tell(published: Published) -> None:
    print(as_lines(published.release))
    if published.missing:
        print("It needs one more signature before any device takes it: edge-ttsd release sign --key FILE")
    else:
        print("It is given out.")


def as_lines(release: Release) -> str:
    """What a signer has to look at."""
    terms = release.terms
    return (
        f"{release.folder}: {release.name} {release.version}, {release.bytes / 1e6:.1f} MB\n"
        f"  for {terms.share:g} % of the devices, from {as_time(terms.not_before)} until {as_time(terms.expires)}\n"
        f"  release {release.number}, document {release.counter}, nothing below {release.minimum} any more;"
        f" stops when more than {terms.stop_percent:g} % fail"
    )


def as_time(instant: float) -> str:
    return datetime.fromtimestamp(instant, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def instant(text: str) -> float:
    """`14d`, `12h`, `30m` from now, or a date and time (ISO 8601, local unless it says otherwise), in seconds since
    1970. Raises argparse's error."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        return time.time() + int(span[1]) * _SECONDS[span[2]]
    try:
        return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"'{text}' is neither a span (14d) nor a time (2026-12-24T03:00)") from None


def add_releases(commands: Any, add: AddParser) -> None:
    group = commands.add_parser("release", help="give model sets to many devices, signed, through the bucket")
    group = group.add_subparsers(required=True, metavar="COMMAND")
    parser = add(group, "key", says="make a key pair that signs releases")
    parser.add_argument("file", type=Path, help="where the private key goes")
    parser.set_defaults(command=command_key)
    parser = add(group, "create", says="sign a model set and give it to a share of the devices")
    parser.add_argument("set", help="name of an installed model set, or its folder (with a /)")
    _add_terms(parser, share="100")
    parser.set_defaults(command=command_create)
    parser = add(group, "promote", says="give the current release to more devices, or for longer")
    _add_terms(parser, share="100")
    parser.add_argument("--anyway", action="store_true", help="though it stopped itself")
    parser.set_defaults(command=command_promote)
    parser = add(group, "rollback", says="give out the release before the current one again")
    parser.add_argument("--to", metavar="SET", help="an earlier one, as `release status` names it")
    _add_terms(parser, share="100", final=False)
    parser.set_defaults(command=command_rollback)
    _add_status(group, add)
    _add_overlay(group, add)
    parser = add(group, "sign", says="show the release that waits for a signature, and sign it")
    parser.add_argument("--overlay", metavar="GROUP", help="the configuration of a group instead")
    _add_keys(parser, required=False)
    parser.set_defaults(command=command_sign)


def _add_overlay(group: Any, add: AddParser) -> None:
    parser = add(group, "overlay", says="give a part of config.yaml to a group of devices, shown as a diff first")
    parser.add_argument("group", help="fleet.group of the devices")
    parser.add_argument("file", type=Path, help="YAML with the keys that the devices should have; {} takes all back")
    parser.add_argument("--expires", type=instant, metavar="TIME", help="nobody takes it up afterwards (default: 30d)")
    parser.add_argument("--yes", action="store_true", help="sign and publish it")
    _add_keys(parser)
    parser.set_defaults(command=command_overlay)


def _add_status(group: Any, add: AddParser) -> None:
    parser = add(group, "status", says="print what is given out, what devices tell, and who speaks what")
    parser.add_argument("--json", action="store_true", help="the reports of the devices as JSON")
    parser.set_defaults(command=command_status)


def _add_keys(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--key",
        type=Path,
        action="append",
        default=[],
        required=required,
        metavar="FILE",
        help="private key that signs",
    )


def _add_terms(parser: argparse.ArgumentParser, *, share: str, final: bool = True) -> None:
    _add_keys(parser)
    parser.add_argument("--share", type=float, metavar="PERCENT", help=f"of the devices (default: {share})")
    parser.add_argument("--not-before", type=instant, metavar="TIME", help="as 2026-12-24T03:00, or 12h (default: now)")
    parser.add_argument("--expires", type=instant, metavar="TIME", help="nobody begins afterwards (default: 30d)")
    parser.add_argument(
        "--stop-percent", type=float, metavar="PERCENT", help="stop when more of those who tried fail (default: 20)"
    )
    parser.set_defaults(final=False)
    if final:
        parser.add_argument("--final", action="store_true", help="no device goes back to an earlier release any more")
