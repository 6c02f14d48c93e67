"""What a stored process leaves in its store at each transition."""

from drupe.core.snapshot import Snapshot
from drupe.service.runner import Runner
from drupe.storage.memory import MemoryStore
from tests.service.samples import Sum


async def test_every_checkpoint_can_be_read_again():
    """The inputs are kept beside the checkpoints; an empty place for them once tore the header it stood in."""
    async with Runner(MemoryStore()) as runner:
        process = await runner.launch(Sum, numbers=[1, 2])
        for seq in (1, None):
            body = (await runner.store.checkpoint(process.pid, seq)).body
            assert Snapshot.decode(body).pid == process.pid
        assert await process == {"total": 3}
        ended = await runner.load(process.pid)
        assert ended.inputs == {"numbers": [1, 2]}
        assert ended.outputs == {"total": 3}
