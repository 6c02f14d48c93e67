"""What the address of a database may be, and that a password in it is seen by nobody."""

import traceback

import pytest

from drupe.errors import SettingsError
from drupe.storage.postgres import PostgresStore
from drupe.storage.postgres.address import parse

SECRET = "hu5h/h#u?s@h"
ENCODED = "hu5h%2Fh%23u%3Fs%40h"


@pytest.mark.parametrize(
    ("url", "shown", "schema"),
    [
        ("postgresql://localhost/db", "postgresql://localhost/db", "drupe"),
        (f"postgresql://me:{ENCODED}@localhost:5433/db", "postgresql://localhost:5433/db", "drupe"),
        ("postgres://me@127.0.0.1/db?schema=lab_2", "postgresql://127.0.0.1/db?schema=lab_2", "lab_2"),
        ("postgresql:///db?host=/var/run/postgresql&schema=a&schema=b", "postgresql:///db?schema=b", "b"),
        (f"postgresql:///db?password={ENCODED}&user=me", "postgresql:///db", "drupe"),
        ("postgresql://far.example/db?sslmode=verify-full", "postgresql://far.example/db", "drupe"),
    ],
)
def test_an_address_is_read_and_shown_without_its_password(url, shown, schema):
    found = parse(url)
    assert (found.shown, found.schema) == (shown, schema)
    assert "schema" not in found.parameters
    assert found.parameters["ssl_min_protocol_version"] == "TLSv1.2"
    if ENCODED in url:
        assert found.parameters["password"] == SECRET
    assert SECRET not in repr(found)
    assert "hu5h" not in repr(found) + repr(PostgresStore(url)) + repr(vars(PostgresStore(url)))


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/db",
        "postgresql://me:hu5h/db",
        "postgresql://me:hu5h@localhost:port/db",
        "postgresql://localhost/db?hu5h=1",
        "postgresql://localhost/db?schema=Drupe",
        "postgresql://localhost/db?schema=a;b",
        "postgresql://localhost/db?schema=",
        "postgresql://localhost/%zz?password=hu5h",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url):
    with pytest.raises(SettingsError, match="store: ") as refused:
        parse(url)
    assert "hu5h" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://far.example/db",
        "postgresql://far.example/db?sslmode=require",
        "postgresql://localhost,far.example/db?sslmode=verify-ca",
        "postgresql://localhost/db?hostaddr=10.0.0.1",
        "postgresql:///db?host=far.example&sslmode=prefer",
    ],
)
def test_another_machine_has_to_show_who_it_is(url):
    with pytest.raises(SettingsError, match="sslmode=verify-full"):
        parse(url)


def test_what_the_environment_says_of_the_host_is_looked_at(monkeypatch):
    monkeypatch.setenv("PGHOST", "far.example")
    with pytest.raises(SettingsError, match=r"far\.example"):
        parse("postgresql:///db")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert parse("postgresql:///db").schema == "drupe"


@pytest.mark.parametrize("given", ["service=x", "ssl_min_protocol_version=TLSv1.1&host=localhost"])
def test_what_would_go_round_the_rules_is_refused(given):
    with pytest.raises(SettingsError):
        parse(f"postgresql:///db?{given}")
