"""The suite that holds every transport to the protocol of a communicator.

A transport binds it in its tests::

    class TestMyCommunicator(CommunicatorContract):
        @pytest.fixture
        def communicators(self, tmp_path):
            return lambda: MyCommunicator(tmp_path)

Each call gives another communicator, not yet open; all of one test meet each other.
"""

from drupe.testing.communicator_contract_broadcast import CommunicatorBroadcastContract
from drupe.testing.communicator_contract_life import CommunicatorLifeContract
from drupe.testing.communicator_contract_rpc import CommunicatorRpcContract
from drupe.testing.communicator_contract_task import CommunicatorTaskContract


class CommunicatorContract(
    CommunicatorLifeContract, CommunicatorTaskContract, CommunicatorRpcContract, CommunicatorBroadcastContract
):
    """Every sentence of `drupe.interfaces.communicator.Communicator`, as tests."""
