"""Each kind of service, from the configuration file on: sync, and errors in plain words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from azure import sas_token
from clouds import Cloud
from enrolled import contents, new_voice
from gcs import ServiceAccount

from edge_tts.errors import TransportError


@pytest.fixture(autouse=True)
def login(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials are in the environment."""
    for variable, value in cloud.login.items():
        monkeypatch.setenv(variable, value)


def test_two_devices_agree_over_every_service(cloud: Cloud, tmp_path: Path) -> None:
    """Voices, a rename and a deletion are synced; of a deleted voice only the tombstone stays, and then a sync is one
    listing."""
    kitchen, sync_kitchen = cloud.device(tmp_path / "kitchen")
    bedroom, sync_bedroom = cloud.device(tmp_path / "bedroom")
    mine, yours = kitchen.add(new_voice(1)), bedroom.add(new_voice(2, owner="bert", name="Bert"))
    for sync in (sync_kitchen, sync_bedroom):
        assert sync().status == "done"
    bedroom.rename(mine.ref, "Mum")
    kitchen.add(new_voice(3, name="Carl"))
    for sync in (sync_bedroom, sync_kitchen, sync_bedroom):
        assert sync().status == "done"
    bedroom.delete(yours.ref)
    for _ in range(2):
        reports = [sync_bedroom(), sync_kitchen()]
    assert [(report.status, report.problems) for report in reports] == [("done", ())] * 2
    assert contents(kitchen) == contents(bedroom)
    assert sorted(contents(kitchen).values()) == ["Carl", "Mum"]
    with cloud.open() as bucket:
        (left,) = bucket.list("v1/bert")
    assert "/tombstones/" in left
    cloud.proxy.requests.clear()
    for sync in (sync_kitchen, sync_bedroom):
        assert (sync().planned, [request.method for request in cloud.proxy.requests]) == (0, ["GET"])
        cloud.proxy.requests.clear()


def test_a_bucket_that_is_taken_away_is_reported_in_plain_words(cloud: Cloud, tmp_path: Path) -> None:
    """The voices stay, and the report has the service's own message."""
    store, sync = cloud.device(tmp_path / "kitchen")
    store.add(new_voice())
    cloud.drop()
    report = sync()
    assert (report.status, "there is no such bucket" in report.error) == ("failed", True)
    assert len(contents(store)) == 1


@pytest.mark.parametrize("cloud", ["az with a SAS"], indirect=True)
@pytest.mark.parametrize(
    ("rights", "until", "words"),
    [("rwdl", "2001-01-01", "does not accept these credentials"), ("rdl", "2099-01-01", "may not do this")],
)
def test_a_sas_token_that_does_not_suffice(cloud: Cloud, rights: str, until: str, words: str) -> None:
    """An expired or insufficient token is explained without quoting it."""
    token = sas_token(cloud.url.split("/")[2], rights=rights, until=until)
    login = {**cloud.login, "AZURE_STORAGE_SAS_TOKEN": token}
    with replace(cloud, login=login).open() as bucket, pytest.raises(TransportError, match=words) as caught:
        bucket.create("v1/x", b"x")
    assert token.rpartition("sig=")[2] not in str(caught.value)


@pytest.mark.parametrize("cloud", ["az with a SAS"], indirect=True)
def test_a_deletion_that_is_not_allowed_is_not_passed_over(cloud: Cloud) -> None:
    """A deletion refused within Azure's batch response is reported."""
    with cloud.open() as bucket:
        bucket.create("v1/x", b"x")
    login = {**cloud.login, "AZURE_STORAGE_SAS_TOKEN": sas_token(cloud.url.split("/")[2], rights="rwl")}
    with replace(cloud, login=login).open() as bucket:
        with pytest.raises(TransportError, match=cloud.url):
            bucket.delete("v1/x")
        assert bucket.get("v1/x", most=9) is not None


@pytest.mark.parametrize("cloud", ["az with a key", "gs"], indirect=True)
def test_a_wrong_key_opens_nothing(cloud: Cloud) -> None:
    """With another account's key the sync fails, and no part of the key is shown."""
    other = {"AZURE_STORAGE_ACCOUNT_KEY": "c2VjcmV0"}
    if cloud.url.startswith("gs"):
        other = {"GOOGLE_SERVICE_ACCOUNT_KEY": ServiceAccount().file()}
    with replace(cloud, login=cloud.login | other).open() as bucket:
        for operation in (lambda: bucket.list("v1"), lambda: bucket.create("v1/x", b"x")):
            with pytest.raises(TransportError, match=cloud.url) as caught:
                operation()
            assert "c2VjcmV0" not in str(caught.value)
            assert "PRIVATE KEY" not in str(caught.value)
    with cloud.open() as bucket:
        assert bucket.list("v1") == {}
