"""The folder in which participants meet."""

import os
import subprocess
import sys

import pytest

from drupe.errors import DuplicateSubscriberError, SettingsError
from drupe.messaging.local.place import Place

ADDRESS = "0123456789abcdef"


@pytest.fixture
def place(folder):
    place = Place(folder / "meeting")
    place.prepare()
    return place


def leave_a_dead_one(folder):
    """A socket and a name of an interpreter that was killed."""
    code = (
        "import os, pathlib, sys; from drupe.messaging.local.place import Place\n"
        "place = Place(pathlib.Path(sys.argv[1])); listener = place.listen('dead'); place.register('name', 'dead')\n"
        "place.register('other', 'dead'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], env={"PYTHONPATH": "src"}, check=False)
    assert done.returncode == -9


def test_the_folder_is_its_users_alone(place, folder):
    assert (folder / "meeting").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("wrong", ["open", "link", "long"])
def test_a_folder_that_others_may_enter_is_refused(wrong, folder):
    path = folder / "meeting"
    if wrong == "open":
        path.mkdir()
        path.chmod(0o750)
    elif wrong == "link":
        (folder / "private").mkdir(mode=0o700)
        path.symlink_to(folder / "private")
    else:
        path = folder / ("x" * 100)

    with pytest.raises(SettingsError, match=path.name):
        Place(path).prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder somebody else's")
def test_a_folder_of_somebody_else_is_refused(folder):
    path = folder / "meeting"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)

    with pytest.raises(SettingsError, match="of yours"):
        Place(path).prepare()


def test_who_listens_can_be_reached_until_it_leaves(place):
    with place.listen(ADDRESS):
        connection = place.connect(ADDRESS)
        assert connection is not None
        connection.close()
        assert place.addresses() == [ADDRESS]
        place.leave(ADDRESS)

    assert place.addresses() == []
    assert place.connect(ADDRESS) is None


def test_a_name_leads_to_one(place):
    with place.listen(ADDRESS):
        place.register("name", ADDRESS)
        with pytest.raises(DuplicateSubscriberError):
            place.register("name", "somebodyelse")

        assert place.locate("name") == ADDRESS
        place.unregister("name")
        place.unregister("name")
        assert place.locate("name") is None


def test_what_the_dead_left_is_removed_when_somebody_looks_for_them(place, folder):
    leave_a_dead_one(folder / "meeting")
    assert place.addresses() == ["dead"]

    assert place.connect("dead") is None

    assert sorted(path.name for path in (folder / "meeting").iterdir()) == ["lock"]


def test_a_name_of_the_dead_is_free(place, folder):
    leave_a_dead_one(folder / "meeting")

    place.register("name", ADDRESS)

    assert (place.locate("name"), place.locate("other")) == (ADDRESS, None)


def test_a_name_that_leads_to_nobody_is_free(place, folder):
    place.register("name", "neverwas")

    place.register("name", ADDRESS)

    assert place.locate("name") == ADDRESS


def test_a_name_that_is_freed_while_one_waits_for_it_is_taken(place, monkeypatch):
    place.register("name", ADDRESS)
    locked = place._locked

    def free_then_lock():
        place.unregister("name")
        return locked()

    monkeypatch.setattr(place, "_locked", free_then_lock)
    place.register("name", "somebodyelse")

    assert place.locate("name") == "somebodyelse"


def test_one_that_begins_to_listen_while_it_is_taken_for_dead_is_not_removed(place, monkeypatch):
    first_try = iter([None])
    with place.listen(ADDRESS):
        really = place._try
        monkeypatch.setattr(place, "_try", lambda address: next(first_try, ...) and really(address))
        connection = place.connect(ADDRESS)

        assert connection is not None
        connection.close()
        assert place.addresses() == [ADDRESS]
