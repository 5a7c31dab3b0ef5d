"""Bucket: the same behaviour on every service, a named error for every fault, no secret in any."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clouds import SERVICES, Cloud
from flaky_proxy import Fault, FlakyProxy
from s3 import KEY, S3, SECRET, folder_bucket, s3_bucket, s3_place

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import Secrets, read_secrets
from edge_tts.errors import TransportError


@pytest.fixture(params=["folder", *SERVICES])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, make_cloud: Callable[[str], Cloud]) -> Iterator[Bucket]:
    """An empty bucket of each kind that is available here."""
    kind = request.param
    with folder_bucket(tmp_path / "bucket") if kind == "folder" else make_cloud(kind).open() as opened:
        yield opened


def test_objects_come_and_go(bucket: Bucket) -> None:
    """An object is listed and read under the same mark; a replaced one has another; a deleted one is gone."""
    assert bucket.list("v1") == {}
    mark = bucket.create("v1/anna/x", b"one")
    assert bucket.create("v1/bert/y", b"two")
    assert {path: found.size for path, found in bucket.list("v1").items()} == {"v1/anna/x": 3, "v1/bert/y": 3}
    assert bucket.list("v1/anna")["v1/anna/x"].mark == mark
    assert "v1/anna/x" not in bucket.list("v1/ann")
    blob = bucket.get("v1/anna/x", most=3)
    assert blob is not None
    assert (blob.data, blob.mark) == (b"one", mark)
    assert bucket.replace("v1/anna/x", b"three") != mark
    bucket.delete("v1/anna/x")
    bucket.delete("v1/anna/x")
    assert bucket.get("v1/anna/x", most=9) is None
    assert list(bucket.list("v1")) == ["v1/bert/y"]


def test_a_file_is_sent_and_read_in_ranges(bucket: Bucket, tmp_path: Path) -> None:
    """Larger than one part; a range at the end is short, one behind it gives no bytes, nor does what is not there."""
    data = bytes(range(256)) * (6 << 12)
    (tmp_path / "large").write_bytes(data)
    bucket.upload("releases/files/x", tmp_path / "large")
    assert bucket.list("releases")["releases/files/x"].size == len(data)
    assert bucket.get_range("releases/files/x", start=1000, length=300) == data[1000:1300]
    assert bucket.get_range("releases/files/x", start=len(data) - 5, length=300) == data[-5:]
    assert bucket.get_range("releases/files/y", start=0, length=3) is None
    with suppress(TransportError):
        assert not bucket.get_range("releases/files/x", start=len(data) + 5, length=3)


def test_a_mark_is_the_same_with_and_without_quotes(proxy: FlakyProxy, bucket_name: str) -> None:
    """The quotes that Azure sends around one object's ETag are no part of its mark."""
    proxy.fault = lambda request: "bare" if "list-type" in request.path else None
    with s3_bucket(proxy, bucket_name) as bucket:
        mark = bucket.create("v1/x", b"x")
        blob = bucket.get("v1/x", most=1)
        assert blob is not None
        assert bucket.list("v1")["v1/x"].mark == blob.mark == mark


def test_create_never_overwrites(bucket: Bucket) -> None:
    """A conditional put: the second writer gets None, and the first one's bytes stay."""
    assert bucket.create("v1/x", b"first")
    assert bucket.create("v1/x", b"second") is None
    blob = bucket.get("v1/x", most=100)
    assert blob is not None
    assert blob.data == b"first"


def test_an_oversized_object_is_not_read(bucket: Bucket) -> None:
    """An object above the limit is not read into memory."""
    bucket.create("v1/x", b"x" * 1000)
    blob = bucket.get("v1/x", most=999)
    assert blob is not None
    assert blob.data == b""


def test_many_objects_are_listed_whole(bucket: Bucket) -> None:
    """A listing of several pages is complete."""
    for number in range(30):
        bucket.create(f"v1/{number:04}", b"x")
    assert len(bucket.list("v1")) == 30


@pytest.mark.parametrize("fault", ["drop", "reset", "cut", "error", "busy", "skew"])
def test_every_fault_has_a_name(proxy: FlakyProxy, bucket_name: str, fault: Fault) -> None:
    """After any fault of any operation there is a TransportError that names the bucket, and the next request works."""
    with s3_bucket(proxy, bucket_name) as bucket:
        bucket.create("v1/x", b"x" * 1000)
        proxy.fault = lambda request: fault
        for operation in (
            lambda: bucket.list("v1"),
            lambda: bucket.get("v1/x", most=1000),
            lambda: bucket.create("v1/y", b"y" * 1000),
            lambda: bucket.replace("v1/x", b"x" * 1000),
        ):
            with pytest.raises(TransportError, match=f"s3://{bucket_name}/home") as caught:
                operation()
            assert ("clock of this device is wrong" in str(caught.value)) == (fault == "skew")
        proxy.fault = lambda request: None
        assert "v1/x" in bucket.list("v1")


@pytest.mark.parametrize("fault", ["conflict", "precondition"])
def test_an_answer_that_does_not_fit_the_question(proxy: FlakyProxy, bucket_name: str, fault: Fault) -> None:
    """409 and 412 are answers only to one conditional put, and else faults like any other."""
    with s3_bucket(proxy, bucket_name) as bucket:
        bucket.create("v1/x", b"x")
        proxy.fault = lambda request: fault
        for operation in (
            lambda: bucket.list("v1"),
            lambda: bucket.get("v1/x", most=9),
            lambda: bucket.create("v1/y", b"y"),
            lambda: bucket.replace("v1/x", b"y"),
            lambda: bucket.delete("v1/x"),
        ):
            with pytest.raises(TransportError, match=bucket_name):
                operation()
        proxy.fault = lambda request: fault if request.method == "PUT" else None
        with pytest.raises(TransportError, match="neither be made nor found"):
            bucket.create("v1/y", b"y")
        assert bucket.create("v1/x", b"y") is None


def test_an_archived_object_is_a_transport_error(s3: S3, proxy: FlakyProxy) -> None:
    """Reading a blob in Azure's archive tier (409) is a TransportError."""
    proxy.fault = lambda request: "archived"
    place = Place("az://container/home", endpoint=proxy.url, retry_s=0)
    with (
        Bucket(place=place, secrets=Secrets({"account_name": "family", "account_key": "c2VjcmV0"})) as bucket,
        pytest.raises(TransportError, match="BlobArchived"),
    ):
        bucket.get("v1/x", most=9)


def test_a_panic_of_the_library_is_a_transport_error(proxy: FlakyProxy, bucket_name: str) -> None:
    """A header that makes obstore panic is a TransportError."""
    secrets = Secrets({"access_key_id": "KEY\r", "secret_access_key": SECRET})
    with (
        Bucket(place=s3_place(proxy, bucket_name), secrets=secrets) as bucket,
        pytest.raises(TransportError, match=bucket_name),
    ):
        bucket.list("v1")


def test_a_bucket_that_cannot_be_opened_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped key leaves no event loop open, as it is retried for ever."""
    opened, new = list[asyncio.AbstractEventLoop](), asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        opened.append(new())
        return opened[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remembered)
    secrets = Secrets({"account_name": "family", "account_key": "!!"})
    with pytest.raises(TransportError, match="Invalid Access Key"):
        Bucket(place=Place("az://container/x"), secrets=secrets)
    assert [loop.is_closed() for loop in opened] == [True]


def test_a_passing_fault_is_retried(proxy: FlakyProxy, bucket_name: str) -> None:
    """With retries, one 503 causes no error."""
    proxy.fault = lambda request: "busy" if request.number == 0 else None
    with s3_bucket(proxy, bucket_name, retry_s=5.0) as bucket:
        assert bucket.list("v1") == {}


def test_a_stalled_request_is_given_up_on_demand(proxy: FlakyProxy, bucket_name: str) -> None:
    """`abandon` cancels a request to a server that does not answer."""
    proxy.fault = lambda request: "stall"
    secrets = Secrets({"access_key_id": KEY, "secret_access_key": SECRET})
    place = s3_place(proxy, bucket_name)
    with (
        Bucket(place=place, secrets=secrets, abandon=proxy.stalled.is_set) as bucket,
        pytest.raises(TransportError, match="given up"),
    ):
        bucket.list("v1")


def test_a_stalled_request_times_out(proxy: FlakyProxy, bucket_name: str) -> None:
    """A request without an answer ends with the time-out."""
    proxy.fault = lambda request: "stall"
    secrets = Secrets({"access_key_id": KEY, "secret_access_key": SECRET})
    with (
        Bucket(place=s3_place(proxy, bucket_name, timeout_s=0.3), secrets=secrets) as bucket,
        pytest.raises(TransportError, match=bucket_name),
    ):
        bucket.list("v1")


def test_a_bucket_that_does_not_exist(proxy: FlakyProxy) -> None:
    """A read, a list or a put in it is a TransportError in plain words."""
    with s3_bucket(proxy, "no-such-bucket") as bucket:
        with pytest.raises(TransportError, match="no such bucket"):
            bucket.list("v1")
        with pytest.raises(TransportError, match="no such bucket"):
            bucket.create("v1/x", b"x")


def test_a_folder_that_has_vanished_is_not_made_anew(tmp_path: Path) -> None:
    """An unplugged disk is an error, and nothing is written to its mount point."""
    folder = tmp_path / "stick"
    with folder_bucket(folder) as bucket:
        bucket.create("v1/x", b"x")
        folder.rename(tmp_path / "elsewhere")
        for operation in (lambda: bucket.list("v1"), lambda: bucket.create("v1/y", b"y")):
            with pytest.raises(TransportError, match="vanished"):
                operation()
    with pytest.raises(TransportError, match="vanished"):
        Bucket(place=Place(str(folder)), secrets=Secrets({}), used_before=True)
    assert not folder.exists()


def test_credentials_come_from_systemd_before_the_environment(tmp_path: Path) -> None:
    """A file in $CREDENTIALS_DIRECTORY precedes the environment; missing credentials are named."""
    (tmp_path / "aws_secret_access_key").write_text(f"{SECRET}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "other"}
    assert read_secrets("s3", environ).values == {"access_key_id": KEY, "secret_access_key": SECRET}
    assert read_secrets("file", {}).values == {}
    for kind, name in (("s3", "AWS_SECRET_ACCESS_KEY"), ("gs", "GOOGLE_SERVICE_ACCOUNT_KEY"), ("az", "AZURE_STORAGE")):
        with pytest.raises(TransportError, match=name):
            read_secrets(kind, {"AWS_ACCESS_KEY_ID": KEY})


@pytest.mark.parametrize("value", ["KEY\r\n", " KEY\u00a0"])
def test_what_was_pasted_around_a_credential_is_dropped(value: str) -> None:
    """White space and CRLF around a credential are removed."""
    environ = {"AWS_ACCESS_KEY_ID": value, "AWS_SECRET_ACCESS_KEY": SECRET}
    assert read_secrets("s3", environ).values["access_key_id"] == "KEY"


@pytest.mark.parametrize("value", ["\ufeffTOP", "TOP\nTOP", "TOP\x1bTOP"])
def test_a_credential_with_an_invisible_character_is_refused(value: str) -> None:
    """The error names the variable and does not quote the value."""
    with pytest.raises(TransportError, match="AWS_SECRET_ACCESS_KEY: holds a character") as caught:
        read_secrets("s3", {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": value})
    assert "TOP" not in shown(caught.value)


@pytest.mark.parametrize("url", ["gs://bucket/home", "az://container/home"])
def test_google_and_azure_can_be_opened(url: str) -> None:
    """A bucket of each service can be opened with its credentials, without a request."""
    key = '{"client_email": "a@b.c", "private_key": "x", "private_key_id": "y", "disable_oauth": true}'
    secrets = {"gs": {"service_account_key": key}, "az": {"account_name": "family", "account_key": "c2VjcmV0"}}[url[:2]]
    Bucket(place=Place(url), secrets=Secrets(secrets)).close()


def shown(error: TransportError) -> str:
    """The traceback as a log would show it."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_secrets_are_never_shown(
    s3: S3, proxy: FlakyProxy, bucket_name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No secret is in errors, tracebacks, reprs, logs or stderr, whatever fails."""
    caplog.set_level(logging.DEBUG)
    texts = []
    s3.require_login(True)
    try:
        with s3_bucket(proxy, bucket_name) as bucket, pytest.raises(TransportError, match="credentials") as caught:
            bucket.list("v1")
        texts.append(shown(caught.value))
    finally:
        s3.require_login(False)
    proxy.fault = lambda request: "drop"
    with s3_bucket(proxy, bucket_name) as bucket, pytest.raises(TransportError) as caught:
        bucket.create("v1/x", b"x")
    texts.append(shown(caught.value))
    sas = Place("az://container/home", endpoint=proxy.url, retry_s=0)
    with (
        Bucket(place=sas, secrets=Secrets({"account_name": "family", "sas_key": f"sv=2024&sig={SECRET}"})) as bucket,
        pytest.raises(TransportError) as caught,
    ):
        bucket.get("v1/x", most=9)
    texts.append(shown(caught.value))
    assert any(SECRET in request.path for request in proxy.requests)  # the secret was in the address indeed
    ours = [record.getMessage() for record in caplog.records if record.name.split(".")[0] not in ("moto", "werkzeug")]
    texts += [repr(Secrets({"secret_access_key": SECRET})), *ours, *capfd.readouterr()]
    for text in texts:
        assert SECRET not in text
        assert KEY not in text


def test_a_bucket_may_be_used_in_any_thread(bucket: Bucket) -> None:
    """A bucket opened by one thread works in another."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(bucket.list("v1")))
    thread.start()
    thread.join()
    assert results == [{}]
