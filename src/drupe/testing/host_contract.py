"""The suite that holds every host to what a process promises.

A host binds it in its tests::

    class TestMyHost(HostContract):
        @pytest.fixture
        async def bench(self):
            yield MyBench()

A host that keeps its processes binds `StoredHostContract`, which asks for more, to a `StoredBench`.
"""

from drupe.testing.host_chain_contract import HostChainContract
from drupe.testing.host_child_contract import HostChildContract
from drupe.testing.host_durable_contract import HostDurableContract
from drupe.testing.host_hook_contract import HostHookContract
from drupe.testing.host_listener_contract import HostListenerContract
from drupe.testing.host_recovery_contract import HostRecoveryContract
from drupe.testing.host_saving_contract import HostSavingContract
from drupe.testing.host_signal_contract import HostSignalContract
from drupe.testing.host_step_contract import HostStepContract
from drupe.testing.host_thread_contract import HostThreadContract
from drupe.testing.host_verb_contract import HostVerbContract
from drupe.testing.host_wait_contract import HostWaitContract


class HostContract(
    HostHookContract,
    HostListenerContract,
    HostStepContract,
    HostThreadContract,
    HostVerbContract,
    HostWaitContract,
    HostSignalContract,
    HostSavingContract,
    HostChainContract,
    HostChildContract,
):
    """Every promise of a process that does not depend on whether it is kept."""


class StoredHostContract(HostContract, HostDurableContract, HostRecoveryContract):
    """Every promise of a process that is kept; the fixture `bench` gives a `StoredBench`."""
