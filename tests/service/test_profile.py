"""What settings promise: a later place wins, each says where it was set, and what cannot be is refused by name."""

import os
import sys
from pathlib import Path

import pytest

from drupe.core.record import Retention
from drupe.errors import SettingsError
from drupe.service import profile, wiring
from drupe.service.database import Database


def load(folder: Path, **given: object) -> profile.Settings:
    return profile.load(folder=folder, environment=given.get("environment", {}), flags=given.get("flags", {}))


def test_without_anything_set_the_store_is_in_a_private_folder_here(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert settings.store == tmp_path / ".drupe" / "store.db"
    assert settings.folder == tmp_path
    assert (settings.durability, settings.retention, settings.lease) == ("full", Retention(living=10, ended=1), 10.0)
    assert set(settings.origins.values()) == {"default"}
    assert not settings.private.exists()


def test_every_setting_is_an_attribute_and_has_an_origin(tmp_path: Path) -> None:
    settings = load(tmp_path)

    assert set(settings.origins) == {setting.name for setting in profile.SETTINGS}
    assert all(hasattr(settings, setting.field) for setting in profile.SETTINGS)


def test_the_nearest_file_upwards_counts_and_its_paths_start_from_it(tmp_path: Path) -> None:
    (tmp_path / "drupe.toml").write_text('store = "outer.db"')
    inner = tmp_path / "inner" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "inner" / "drupe.toml").write_text('store = "data/store.db"\nimports = ["flow.py", "package.flow"]')

    settings = load(inner)

    assert settings.folder == tmp_path / "inner"
    assert settings.store == tmp_path / "inner" / "data" / "store.db"
    assert settings.imports == (str(tmp_path / "inner" / "flow.py"), "package.flow")
    assert settings.origins["store"] == str(tmp_path / "inner" / "drupe.toml")


def test_a_variable_wins_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    (tmp_path / "drupe.toml").write_text("lease = 3\nmax_state_bytes = 5000\n[retention]\nliving = 4\nended = 'all'")

    settings = load(
        tmp_path,
        environment={"DRUPE_LEASE": "4.5", "DRUPE_RETENTION_LIVING": "7", "DRUPE_STORE": "from-variable.db"},
        flags={"store": "from-flag.db", "log_level": "DEBUG"},
    )

    assert (settings.lease, settings.max_state_bytes, settings.log_level) == (4.5, 5000, "debug")
    assert settings.retention == Retention(living=7, ended=None)
    assert settings.store == tmp_path / "from-flag.db"
    assert settings.origins["store"] == "--store"
    assert settings.origins["lease"] == "$DRUPE_LEASE"
    assert settings.origins["retention.ended"] == str(tmp_path / "drupe.toml")


def test_imports_of_all_places_add_up(tmp_path: Path) -> None:
    (tmp_path / "drupe.toml").write_text('imports = ["a"]')

    settings = load(tmp_path, environment={"DRUPE_IMPORTS": os.pathsep.join(["b", "a"])}, flags={"imports": ["c.py"]})

    assert settings.imports == ("a", "b", str(tmp_path / "c.py"))
    assert settings.origins["imports"] == f"{tmp_path / 'drupe.toml'}, $DRUPE_IMPORTS, --import"


def test_a_home_is_found_and_an_empty_variable_sets_nothing(tmp_path: Path) -> None:
    settings = load(tmp_path, environment={"DRUPE_LEASE": ""}, flags={"store": "~/store.db"})

    assert settings.store == Path.home() / "store.db"
    assert settings.origins["lease"] == "default"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lease = 'long'", ["lease", "a number of seconds", "'long'"]),
        ("lease = true", ["lease", "True"]),
        ("lease = '3'", ["lease", "'3'"]),
        ("durability = 'ful'", ["durability", "'full' or 'process'", "'ful'"]),
        ("max_state_bytes = 5", ["max_state_bytes", "at least 1024", "5"]),
        ("retention.living = 0", ["retention.living", "at least 1", "0"]),
        ("retention = 3", ["'retention'", "retention.living"]),
        ("store = ''", ["store", "''"]),
        ("imports = 'flow.py'", ["imports", "a list", "'flow.py'"]),
        ("log_level = 'loud'", ["log_level", "'loud'"]),
        ("durabilty = 'full'", ["'durabilty'", "did you mean 'durability'"]),
        ("[retention]\nalive = 3", ["'retention.alive'", "did you mean 'retention.living'"]),
        ("lease = \nstore = 1", ["not TOML", "line 1, column 9"]),
    ],
)
def test_what_cannot_be_is_refused_and_says_where_it_was_set(tmp_path: Path, text: str, named: list[str]) -> None:
    (tmp_path / "drupe.toml").write_text(text)

    with pytest.raises(SettingsError) as caught:
        load(tmp_path)

    assert all(word in str(caught.value) for word in [*named, str(tmp_path / "drupe.toml")])
    assert len(str(caught.value).splitlines()) == 1


def test_a_bad_variable_is_refused_even_if_a_flag_overrides_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"setting durability \(\$DRUPE_DURABILITY\): expected 'full' or 'process'"):
        load(tmp_path, environment={"DRUPE_DURABILITY": "none"}, flags={"durability": "full"})


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "drupe.toml").write_bytes(b"store = '\xff'")

    with pytest.raises(SettingsError, match=r"drupe\.toml cannot be read"):
        load(tmp_path)


def test_variables_that_only_look_like_settings_are_told() -> None:
    found = profile.strangers({"DRUPE_STOR": "x", "DRUPE_STORE": "y", "PATH": "z"})

    assert len(found) == 1
    assert "$DRUPE_STOR" in found[0]
    assert "'DRUPE_STORE'" in found[0]


@pytest.mark.parametrize(("name", "expected"), [("flow.py", True), ("./flow", True), ("package.flow", False)])
def test_a_file_is_told_from_a_module_by_its_name(name: str, expected: bool) -> None:
    assert profile.is_file(name) is expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://localhost/lab", "postgresql://localhost/lab"),
        ("postgresql://me:hu5h@localhost/lab?schema=a", "postgresql://…@localhost/lab?schema=a"),
        ("postgres://me:hu5h/h?u5h@h@localhost/lab", "postgres://…@localhost/lab"),
        ("postgresql:///lab?password=hu5h&host=/run", "postgresql:///lab?password=…&host=/run"),
    ],
)
def test_a_store_may_be_a_database_whose_password_is_not_shown(tmp_path: Path, url: str, shown: str) -> None:
    settings = profile.load(folder=tmp_path, environment={"DRUPE_STORE": url})
    assert isinstance(settings.store, Database)
    assert settings.store.url == url
    assert str(settings.store) == shown
    assert "hu5h" not in repr(settings)
    assert settings.beside.parent == tmp_path / ".drupe"


def test_who_comes_to_a_database_and_how_makes_no_other_of_it() -> None:
    same = (
        Database("postgresql://me:hu5h@db/lab?schema=a&sslmode=verify-full"),
        Database("postgres://you@db/lab?schema=a"),
    )
    assert same[0].identity == same[1].identity
    assert same[0].identity != Database("postgresql://db/lab").identity


def test_a_database_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "drupe.storage.postgres.store", None)
    settings = profile.load(folder=tmp_path, environment={"DRUPE_STORE": "postgresql://localhost/lab"})
    with pytest.raises(SettingsError, match=r"pip install 'drupe\[postgres\]'"):
        wiring.open_store(settings)
