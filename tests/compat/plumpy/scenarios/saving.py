"""Bundles, loading, persisters, loaders, and the small things that are saved."""

import asyncio
import copy
import pickle
import tempfile
import uuid

import plumpy
import yaml
from plumpy import persistence, utils

from scenarios.telling import SEEN, Listener, each, facts, on_new_loop, plain, raised, scenario, turns


@plumpy.auto_persist("kept", "method", "inner")
class Thing(plumpy.Savable):
    def __init__(self, inner=None):
        self.kept = {"list": [1, 2], "none": None}
        self.method = self.some
        self.inner = inner
        self.lost = 3

    def some(self):
        return "some"


@plumpy.auto_persist("more")
class MoreThing(Thing):
    def __init__(self):
        super().__init__()
        self.more = (1, uuid.UUID(int=3))


class Forgets(Thing):
    def save_instance_state(self, out_state, save_context):
        pass


class Stays(plumpy.Process):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("a", default=3)
        spec.input_namespace("n", dynamic=True)
        spec.output_namespace("o", dynamic=True)

    def run(self):
        self.out("o.x", [1])
        return plumpy.Wait(self.go_on, "for it", {"some": [1]})

    def go_on(self, value=None):
        return plumpy.Continue(self.end, value, {"deep": [1]})

    def end(self, value, more):
        return [value, more]


class Fails(plumpy.Process):
    def run(self):
        raise ValueError("for good")


class Killed(plumpy.Process):
    def run(self):
        return plumpy.Kill(plumpy.MessageBuilder.kill("enough"))


@scenario
def savables():
    thing = Thing(MoreThing())
    saved = thing.save()
    yield plain(saved)
    loaded = plumpy.Savable.load(saved)
    yield [
        plain(loaded.kept),
        loaded.method(),
        plain(loaded.inner.more),
        hasattr(loaded, "lost"),
        loaded.kept is saved["kept"],
    ]
    yield [sorted(Thing._auto_persist), sorted(MoreThing._auto_persist)]
    yield raised(Forgets().save)
    yield raised(plumpy.Savable.load, {})
    yield raised(plumpy.Savable.load, {"!!meta": {"class_name": "nowhere:Thing"}})
    yield raised(thing.save, {"not": "a context"})
    other = Thing()
    other.method = thing.some
    yield raised(other.save)
    yield plain(thing.save(plumpy.LoadSaveContext(loader=plumpy.DefaultObjectLoader())))
    yield raised(persistence.Savable.get_custom_meta, {}, "x")


@scenario
def contexts():
    context = plumpy.LoadSaveContext(a=1)
    yield [context.a, "a" in context, "b" in context, context.loader, raised(lambda: context.b)]
    more = context.copyextend(b=2, loader=plumpy.DefaultObjectLoader())
    yield [more.a, more.b, type(more.loader).__name__, "b" in context]


@scenario
def loaders():
    loader = plumpy.get_object_loader()
    yield loader.identify_object(Thing)
    for name in ("a", "a:b", "a:b:c", "plumpy:Nothing", "plumpy.processes:Process", "plumpy:Process", ""):
        yield raised(loader.load_object, name)
    yield raised(loader.identify_object, lambda: 1)
    yield raised(loader.identify_object, 3)

    class Mine(plumpy.DefaultObjectLoader):
        def load_object(self, identifier):
            raise ImportError(identifier)

    plumpy.set_object_loader(Mine())
    yield raised(Thing().save)
    plumpy.set_object_loader(None)
    yield plumpy.get_object_loader() is plumpy.get_object_loader()


@scenario
def finding_functions():
    for name in (
        "plumpy.Process",
        "plumpy.if_",
        "scenarios.saving.Thing.some",
        "nowhere",
        "plumpy.nothing",
        "os.path.join",
    ):
        yield [
            raised(utils.load_object, name),
            raised(utils.load_function, name),
            raised(lambda name=name: list(utils.load_module(name)[1])),
        ]
    yield [raised(utils.type_check, 3, str), raised(utils.type_check, 3, int)]
    yield [utils.is_mutable_property(plumpy.PortNamespace, name) for name in ("dynamic", "name", "ports", "nothing")]


async def reached(kind, state):
    process = kind()
    running = asyncio.ensure_future(process.step_until_terminated())
    await turns()
    if state == "paused":
        process.pause("for a while")
        await turns()
    if state == "created":
        process = kind(pid=7)
    if state == "resumed":
        process.resume([1])
        process.pause()
        await turns()
    return process, running


STATES = {
    "created": (Stays, "created"), "waiting": (Stays, "waiting"), "paused": (Stays, "paused"), "excepted": (Fails, ""),
    "killed": (Killed, ""),
}  # fmt: skip
WAYS = {
    "as_it_is": lambda bundle: bundle,
    "copied": copy.deepcopy,
    "yaml": lambda bundle: yaml.load(yaml.dump(bundle), Loader=yaml.Loader),
    "pickle": lambda bundle: pickle.loads(pickle.dumps(bundle)),
}


@each(**{f"{state}-{way}": (*STATES[state], WAYS[way]) for state in STATES for way in WAYS})
@on_new_loop
async def saved_and_loaded(kind, state, way):
    process, running = await reached(kind, state)
    process.add_process_listener(Listener())
    bundle = plumpy.Bundle(process)
    yield plain(
        {key: value for key, value in bundle.items() if key not in ("_creation_time", "_event_helper", "_state")}
    )
    yield plain({key: key == "traceback" or value for key, value in bundle["_state"].items()})
    yield bundle == plumpy.Bundle(process) if "exc" not in state else None
    bundle = way(bundle)
    yield [type(bundle).__name__, sorted(bundle, key=str)]
    loaded = bundle.unbundle(plumpy.LoadSaveContext(loop=asyncio.get_running_loop(), logger=None))
    yield facts(loaded)
    yield [
        plain(loaded.pid),
        loaded.creation_time == process.creation_time,
        plain(loaded.uuid) if state == "x" else None,
    ]
    yield [loaded.loop is process.loop, len(loaded._event_helper.listeners), plain(loaded._state)]
    again = asyncio.ensure_future(loaded.step_until_terminated())
    await turns()
    if loaded.paused:
        loaded.play()
        await turns()
    if loaded.state == plumpy.ProcessState.WAITING:
        loaded.resume("value")
        await turns()
    yield facts(loaded)
    for each_ in (running, again):
        each_.cancel()
    yield plain(await asyncio.gather(running, again, return_exceptions=True))[1:]


class Listens(Listener):
    def init(self, name=None):
        super().init(name=name)
        SEEN.append(["init", name])


@scenario
@on_new_loop
async def persisters():
    with tempfile.TemporaryDirectory() as folder:
        for persister in (
            plumpy.InMemoryPersister(),
            plumpy.InMemoryPersister(plumpy.DefaultObjectLoader()),
            plumpy.PicklePersister(folder),
        ):
            first, second = Stays(pid="first"), Stays(pid="second")
            await first.step()
            persister.save_checkpoint(first)
            await first.step()
            persister.save_checkpoint(first, tag="waiting")
            persister.save_checkpoint(second, tag="new")
            yield sorted(map(list, persister.get_checkpoints()), key=str)
            yield sorted(map(list, persister.get_process_checkpoints("first")), key=str)
            yield plain(persister.load_checkpoint("first").unbundle().state)
            loaded = persister.load_checkpoint("first", "waiting").unbundle()
            yield facts(loaded)
            persister.delete_checkpoint("first", "waiting")
            persister.delete_checkpoint("first", "nothing")
            persister.delete_checkpoint("nobody")
            yield sorted(map(list, persister.get_checkpoints()), key=str)
            persister.delete_process_checkpoints("first")
            persister.delete_process_checkpoints("nobody")
            yield sorted(map(list, persister.get_checkpoints()), key=str)
            yield [raised(persister.load_checkpoint, "nobody")[:3], persister.get_process_checkpoints("nobody")]
        yield [
            persister.pickle_filename("a"),
            persister.pickle_filename("a", "b"),
            len(persister.load_pickle(f"{folder}/second.new.pickle")),
        ]
        yield raised(plumpy.PicklePersister, "/proc/nothing/here")


@scenario
def persisters_are_abstract():
    yield sorted(plumpy.Persister.__abstractmethods__)
    yield sorted(plumpy.ObjectLoader.__abstractmethods__)


@scenario
@on_new_loop
async def futures():
    for end in ("pending", "result", "error"):
        future = plumpy.SavableFuture()
        if end == "result":
            future.set_result([1])
        if end == "error":
            future.set_exception(ValueError("no"))
        saved = future.save()
        yield plain(saved)
        yield plain(plumpy.Savable.load(saved))
        yield plain(plumpy.Savable.load(saved, plumpy.LoadSaveContext(loop=asyncio.get_running_loop())))


@scenario
@on_new_loop
async def commands():
    process = Stays()
    for command in (
        plumpy.Kill(), plumpy.Kill({"message": "m"}), plumpy.Wait(process.go_on, "m", {"d": 1}), plumpy.Stop([1], True),
        plumpy.Continue(process.go_on, 1, named=2),
    ):  # fmt: skip
        saved = command.save()
        yield plain(saved)
        loaded = plumpy.Savable.load(saved, plumpy.LoadSaveContext(process=process))
        yield plain({name: value for name, value in vars(loaded).items() if name != "_called"})


class Chain(plumpy.WorkChain):
    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.outline(
            cls.first, plumpy.while_(cls.more)(cls.turn, plumpy.if_(cls.odd)(cls.say).else_(cls.wait)), cls.last
        )

    def first(self):
        self.ctx.count = 0
        self.ctx.said = []

    def more(self):
        return self.ctx.count < 4

    def turn(self):
        self.ctx.count += 1

    def odd(self):
        return self.ctx.count % 2 == 1

    def say(self):
        self.ctx.said.append(self.ctx.count)

    def wait(self):
        future = asyncio.get_running_loop().create_future()
        future.set_result(self.ctx.count)
        return plumpy.ToContext(waited=future)

    def last(self):
        return [self.ctx.count, self.ctx.said, self.ctx.get("waited")]


@each(**{f"{after}-{way}": (after, WAYS[way]) for after in range(16) for way in ("copied", "yaml")})
@on_new_loop
async def chains(after, way):
    chain = Chain()
    for _ in range(after):
        if not chain.has_terminated() and chain.state != plumpy.ProcessState.WAITING:
            await chain.step()
    yield [plain(chain.state), str(chain._stepper) if chain._stepper else None, plain(chain.ctx)]
    if chain.state == plumpy.ProcessState.WAITING:
        return
    bundle = plumpy.Bundle(chain)
    yield plain({key: value for key, value in bundle.items() if key not in ("_creation_time", "_event_helper")})
    loaded = way(bundle).unbundle(plumpy.LoadSaveContext(loop=asyncio.get_running_loop()))
    yield [plain(loaded.ctx), loaded.ctx == chain.ctx, str(loaded._stepper) if loaded._stepper else None]
    if not loaded.has_terminated():
        await loaded.step_until_terminated()
    yield facts(loaded)
