"""The drop-in's bundles are a saved form as drupe's snapshots are one."""

from pathlib import Path

from drupe.testing.saver_contract import SaverContract
from tests.compat.both import DROP_IN, told


def test_bundles_keep_the_contract_of_a_saved_form():
    looked_at = told(DROP_IN, "-m", "bundles", beside=[Path(__file__).parent])

    assert looked_at == [name for name in dir(SaverContract) if name.startswith("test_")]
