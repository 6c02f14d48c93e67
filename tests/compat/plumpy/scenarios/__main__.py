"""Runs all scenarios and prints {name: trace} as JSON: ``python -m scenarios URL [MODULE …]``."""

import json
import logging
import signal
import sys
import warnings

from scenarios import telling

MODULES = ("control", "declared", "lifecycles", "machines", "messages", "nesting", "outlines", "saving", "stepping")


PATIENCE = 20


def give_up(*_):
    raise TimeoutError("the scenario does not end")


def main():
    signal.signal(signal.SIGALRM, give_up)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for module in sys.argv[2:] or MODULES:
        __import__(f"scenarios.{module}")
    telling.ADDRESS.append(sys.argv[1])
    traces = {}
    for name, run in telling.SCENARIOS:
        telling.SEEN.clear()
        signal.alarm(PATIENCE)
        trace = telling.raised(list, run())
        traces[name.removeprefix("scenarios.")] = [trace, list(telling.SEEN)]
        signal.alarm(0)
    print(json.dumps(traces, default=repr))


main()
