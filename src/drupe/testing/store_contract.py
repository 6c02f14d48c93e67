"""The suite that holds every store to its protocol.

A backend binds it in its tests::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def places(self, tmp_path):
            numbers = itertools.count()

            def new_place():
                return functools.partial(MyStore, tmp_path / f"{next(numbers)}.db")

            return new_place

A place is where data lies; each call of it gives another store on the same data (`Place`). A store that only programs
of one machine can have keeps `OneMachineContract`, too.
"""

from drupe.testing.store_case import Place as Place
from drupe.testing.store_claiming_contract import StoreClaimingContract
from drupe.testing.store_failure_contract import StoreFailureContract
from drupe.testing.store_inbox_contract import StoreInboxContract
from drupe.testing.store_ownership_contract import OneMachineContract as OneMachineContract
from drupe.testing.store_ownership_contract import StoreOwnershipContract
from drupe.testing.store_parking_contract import StoreParkingContract
from drupe.testing.store_reading_contract import StoreReadingContract
from drupe.testing.store_together_contract import StoreTogetherContract
from drupe.testing.store_writing_contract import StoreWritingContract


class StoreContract(
    StoreOwnershipContract,
    StoreClaimingContract,
    StoreParkingContract,
    StoreWritingContract,
    StoreTogetherContract,
    StoreReadingContract,
    StoreInboxContract,
    StoreFailureContract,
):
    """Every sentence of `drupe.interfaces.store.Store` and `drupe.interfaces.inbox.Inbox`, as tests."""
