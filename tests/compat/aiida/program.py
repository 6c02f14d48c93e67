"""What one does with AiiDA, told as JSON. A program: ``python program.py VERB FOLDER`` in an environment with a profile.

run      in this interpreter: functions, a calculation, work chains, one that fails
submit   to the daemon: calculations and work chains
steer    processes of the daemon: pause, play, kill
crash    the daemon's workers are killed while it runs work chains, and start again
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import chains
import plumpy
from aiida import engine, load_profile, orm
from aiida.common.links import LinkType
from aiida.engine.daemon.client import get_daemon_client
from aiida.engine.processes import control
from aiida.plugins import CalculationFactory, WorkflowFactory

PATIENCE = 240  # loaded machines take their time, and a worker that died is missed only by its silence


def bash():
    """The code that adds."""
    try:
        return orm.load_code("bash@localhost")
    except Exception:
        return orm.InstalledCode(
            label="bash", computer=orm.load_computer("localhost"), filepath_executable="/bin/bash",
            default_calc_job_plugin="core.arithmetic.add",
        ).store()  # fmt: skip


def facts(node):
    outgoing = node.base.links.get_outgoing(link_type=(LinkType.RETURN, LinkType.CREATE)).all()
    outputs = {link.link_label: link.node.value for link in outgoing if hasattr(link.node, "value")}
    return [node.process_label, str(node.process_state), node.exit_status, node.process_status, outputs]


def until(condition, what):
    """Wait for something that another interpreter does."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(what)
        time.sleep(0.1)


def ended(*nodes):
    until(lambda: all(node.is_terminated for node in nodes), f"{[facts(node) for node in nodes]}")
    return [facts(node) for node in nodes]


def run(folder):
    code = bash()
    yield chains.one_more(orm.Int(2)).value
    result, node = engine.run_get_node(CalculationFactory("core.arithmetic.add"), code=code, x=orm.Int(3), y=orm.Int(4))
    yield [result["sum"].value, facts(node)]
    result, node = engine.run_get_node(
        WorkflowFactory("core.arithmetic.multiply_add"), code=code, x=orm.Int(3), y=orm.Int(4), z=orm.Int(5)
    )
    yield [result["result"].value, facts(node)]
    for fails in (False, True):
        result, node = engine.run_get_node(chains.Adds, add={"code": code, "x": orm.Int(1)}, fails=orm.Bool(fails))
        yield [{name: value.value for name, value in result.items()}, facts(node)]
    _, node = engine.run_get_node(chains.Counts, limit=orm.Int(3), file=orm.Str(f"{folder}/run"))
    yield [facts(node), Path(f"{folder}/run").read_text().split()]
    try:
        engine.run(chains.Counts, limit=orm.Str("three"))
    except ValueError as error:
        yield str(error).splitlines()[0]


def submit(folder):
    code = bash()
    add = CalculationFactory("core.arithmetic.add")
    nodes = [engine.submit(add, code=code, x=orm.Int(number), y=orm.Int(4)) for number in range(3)]
    nodes += [engine.submit(chains.Adds, add={"code": code, "x": orm.Int(number)}) for number in range(3)]
    nodes += [engine.submit(chains.Counts, limit=orm.Int(3), file=orm.Str(f"{folder}/submit"))]
    yield from ended(*nodes)


def steer(folder):
    paused, killed, other = (
        engine.submit(chains.Counts, limit=orm.Int(30), file=orm.Str(f"{folder}/steer{number}")) for number in range(3)
    )
    for number in range(3):
        until(Path(f"{folder}/steer{number}").exists, f"{facts(paused)} {facts(killed)} {facts(other)}")
    control.pause_processes([paused], msg_text="for a while", timeout=PATIENCE)
    until(lambda: paused.paused, "paused")
    yield [paused.paused, paused.process_status, paused.is_terminated]
    count = len(Path(f"{folder}/steer0").read_text().split())
    control.kill_processes([killed], msg_text="enough", timeout=PATIENCE)
    yield ended(killed)[0][:4]
    yield len(Path(f"{folder}/steer0").read_text().split()) == count < 30
    control.play_processes([paused], timeout=PATIENCE)
    yield ended(paused, other)
    yield Path(f"{folder}/steer0").read_text().split() == [str(number) for number in range(30)]


def crash(folder):
    daemon = get_daemon_client()
    code = bash()
    nodes = [
        engine.submit(chains.Counts, limit=orm.Int(40), file=orm.Str(f"{folder}/crash{number}")) for number in range(4)
    ]
    nodes += [engine.submit(chains.Adds, add={"code": code, "x": orm.Int(number)}) for number in range(3)]
    for number in range(4):
        until(Path(f"{folder}/crash{number}").exists, "begun")
    for pid in workers(daemon):
        os.kill(pid, signal.SIGKILL)
    yield from ended(*nodes)
    for number in range(4):
        counted = [int(line) for line in Path(f"{folder}/crash{number}").read_text().split()]
        yield [sorted(set(counted)) == list(range(40)), len(counted) - 40 <= 1]


def workers(daemon):
    return [int(pid) for pid in daemon.get_worker_info()["info"]]


def main(verb, folder):
    load_profile()
    told = list({"run": run, "submit": submit, "steer": steer, "crash": crash}[verb](folder))
    print(json.dumps({"plumpy": plumpy.__file__, "told": told}, default=str))


main(*sys.argv[1:])
