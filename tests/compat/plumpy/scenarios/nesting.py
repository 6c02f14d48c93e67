"""Plain code that waits: processes within processes, portals, loops."""

import asyncio

import plumpy

from scenarios.telling import each, on_new_loop, plain, raised, scenario


class Nested(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("depth")
        spec.output("below", required=False)

    def run(self):
        depth = self.inputs.depth
        seen = [plumpy.has_portal(), plumpy.Process.current() is self]
        if depth:
            seen.append(plain(Nested({"depth": depth - 1}).execute()))
            seen.append(plumpy.Process.current() is self)
            seen.append(plumpy.sync_await(asyncio.sleep(0, "slept")))
        self.out("below", seen)


@each(one=(1,), ten=(10,), thirty=(30,))
def depths(depth):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield raised(Nested({"depth": depth}).execute)
    asyncio.set_event_loop(None)
    loop.close()


@each(one=(1,), ten=(10,))
@on_new_loop
async def awaited(depth):
    process = Nested({"depth": depth})
    await process.step_until_terminated()
    yield plain(process.outputs)


@scenario
@on_new_loop
async def portals():
    async def value():
        return 3

    def code(*args, **kwargs):
        return [plumpy.has_portal(), plumpy.sync_await(value()), args, kwargs]

    yield plumpy.has_portal()
    yield raised(lambda: plumpy.sync_await(asyncio.sleep(0)))[:3]
    loop = asyncio.get_running_loop()
    yield raised(plumpy.run_until_complete, loop, asyncio.sleep(0))
    yield plain(await plumpy.run_with_portal(code, 1, a=2))
    yield plumpy.has_portal()

    def nested():
        return plumpy.run_until_complete(loop, plumpy.run_with_portal(code))

    yield plain(await plumpy.run_with_portal(nested))

    async def ensured():
        await plumpy.ensure_portal()
        await plumpy.ensure_portal()
        return [
            plumpy.has_portal(),
            code(),
            await plumpy.run_with_portal(code),
            plumpy.run_until_complete(loop, value()),
        ]

    yield plain(await asyncio.create_task(ensured()))
    for fail in (lambda: 1 / 0, lambda: plumpy.sync_await(failing())):
        try:
            await plumpy.run_with_portal(fail)
        except Exception as error:
            yield plain(error)


async def failing():
    await asyncio.sleep(0)
    raise ValueError("awaited")


@scenario
@on_new_loop
async def ensured_before_a_process():
    async def run():
        await plumpy.ensure_portal()
        process = Nested({"depth": 3})
        await process.step_until_terminated()
        return plain(process.outputs)

    yield await asyncio.create_task(run())


@scenario
def outside():
    loop = asyncio.new_event_loop()
    yield plumpy.run_until_complete(loop, asyncio.sleep(0, "slept"))

    async def inside():
        return [plumpy.has_portal(), plumpy.sync_await(asyncio.sleep(0, "slept"))]

    yield plain(plumpy.run_until_complete(loop, inside()))
    yield raised(plumpy.run_until_complete, loop, failing())
    loop.close()


@scenario
@on_new_loop
async def plain_code_in_hooks():
    class Hooked(plumpy.Process):
        def on_run(self):
            super().on_run()
            self.seen = plumpy.has_portal()

        async def run(self):
            return self.seen

    process = Hooked()
    await plumpy.run_with_portal(lambda: process.execute())
    yield plain(process.result())


@scenario
def executed_in_hooks():
    class Hooked(plumpy.Process):
        def on_run(self):
            super().on_run()
            self.seen = plain(Nested({"depth": 0}).execute())

        async def run(self):
            return self.seen

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    process = Hooked()
    process.execute()
    yield plain(process.result())
    asyncio.set_event_loop(None)
    loop.close()
