"""The file with keys: its owner's alone, whole at any time, and refused when it is not."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from drupe.core.role import Role
from drupe.errors import SettingsError
from drupe.service import keys, profile


@pytest.fixture
def file(tmp_path):
    return tmp_path / "private" / "keys.toml"


def test_what_is_added_is_read_in_order(file):
    added = [keys.new(role, since=1_000_000_000.0 + role) for role in Role]
    for key in added:
        keys.add(file, key)

    found = list(keys.read(file))

    assert [(key.id, key.secret, key.role, key.since) for key in found] == [
        (key.id, key.secret, key.role, key.since) for key in added
    ]


def test_no_two_keys_are_alike():
    assert len({keys.new(Role.READ, since=0.0).secret for _ in range(100)}) == 100


def test_file_and_folder_are_for_their_owner_only(file):
    keys.add(file, keys.new(Role.READ, since=0.0))

    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o040, 0o020, 0o004, 0o001])
def test_a_file_that_others_may_use_is_refused(file, mode):
    keys.add(file, keys.new(Role.READ, since=0.0))
    file.chmod(0o600 | mode)

    for use in (keys.read, lambda path: keys.add(path, keys.new(Role.READ, since=0.0))):
        with pytest.raises(SettingsError, match=r"others may use it: chmod 600 .*, and think of new keys"):
            use(file)


def test_a_file_of_somebody_else_is_refused(file, monkeypatch):
    keys.add(file, keys.new(Role.READ, since=0.0))
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)

    with pytest.raises(SettingsError, match="belongs to another user"):
        keys.read(file)


def test_without_a_file_or_without_a_key_it_is_told_how_to_make_one(file):
    with pytest.raises(SettingsError, match=r"there is no file .*`drupe keys new` makes it"):
        keys.read(file)
    file.parent.mkdir()
    file.touch(mode=0o600)
    with pytest.raises(SettingsError, match=r"there is no key in .*`drupe keys new` makes one"):
        keys.read(file)


def test_where_nothing_is_said_of_keys_there_need_be_none(tmp_path):
    settings = profile.load(folder=tmp_path, environment={})
    assert keys.of(settings) is None

    keys.add(settings.keys, key := keys.new(Role.READ, since=0.0))
    assert [found.id for found in keys.of(settings)] == [key.id]
    with pytest.raises(SettingsError, match="there is no file"):
        keys.of(profile.load(folder=tmp_path, environment={"DRUPE_KEYS": "elsewhere"}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[key]]", "[[key]"),
        ('role = "read"', 'role = "reader"'),
        ('role = "read"', ""),
        ('role = "read"', 'role = "read"\nbeside = 1'),
        ("since = 20", "since = 2"),
        ('secret = "', 'secret = "f'),
        ('secret = "', 'secret = "x'),
        ("id", "\0id"),
    ],
)
def test_a_damaged_file_is_refused_and_its_secrets_are_not_told(file, old, new):
    keys.add(file, key := keys.new(Role.READ, since=1_600_000_000.0))
    file.write_text(file.read_text().replace(old, new, 1))

    with pytest.raises(SettingsError, match=r"keys\.toml is damaged") as refused:
        keys.read(file)

    assert key.secret.hex()[:8] not in str(refused.value)


def test_a_secret_that_was_mistyped_is_found_out(file):
    keys.add(file, key := keys.new(Role.READ, since=0.0))
    secret = key.secret.hex()
    other = ("0" if secret[0] != "0" else "1") + secret[1:]
    file.write_text(file.read_text().replace(secret, other))

    with pytest.raises(SettingsError, match=f"the secret of key '{key.name}' is not the one"):
        keys.read(file)


def test_a_time_without_a_zone_is_utc(file):
    keys.add(file, keys.new(Role.READ, since=1_600_000_000.0))
    file.write_text(file.read_text().replace("2020-09-13T12:26:40Z", "2020-09-13T12:26:40"))

    assert [key.since for key in keys.read(file)] == [1_600_000_000.0]


def test_adding_at_once_loses_nothing(file):
    added = [keys.new(Role.READ, since=0.0) for _ in range(24)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: keys.add(file, key), added))

    assert {key.id for key in keys.read(file)} == {key.id for key in added}
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_cannot_be_written_or_read_is_told(file, tmp_path):
    with pytest.raises(SettingsError, match="cannot be written"):
        keys.add(tmp_path / "not" / "there" / "keys.toml", keys.new(Role.READ, since=0.0))
    file.mkdir(parents=True)
    with pytest.raises(SettingsError, match="cannot be read"):
        keys.read(file)
