"""Ctrl-C in a program of the user's own: a waiter goes, the process stays as it is."""

import signal
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow


def interrupted(text):
    """Run a script, send it SIGINT when it says so, and get the lines it printed."""
    script = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-c", textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert script.stdout is not None
    lines = []
    for line in script.stdout:
        lines.append(line.strip())
        if lines[-1] == "ready":
            script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=30)
    assert script.returncode == 0, errors
    assert errors == ""
    return lines


def test_ctrl_c_in_asyncio_run_cancels_the_waiter_and_not_the_process():
    lines = interrupted(
        """
        import asyncio
        from drupe import Process, Wait

        class Resting(Process):
            def run(self):
                return Wait(self.wake)

            def wake(self, value):
                return value

        process = Resting()

        async def main():
            asyncio.get_running_loop().call_later(0.05, print, "ready")
            await process

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted", process.state.value)

        async def again():
            asyncio.get_running_loop().call_later(0.01, process.resume, "went on")
            await process

        asyncio.run(again())
        print(process.result())
        """
    )
    assert lines == ["ready", "interrupted waiting", "went on"]


def test_ctrl_c_in_asyncio_run_inside_a_step_gives_the_step_up_and_it_is_taken_again():
    lines = interrupted(
        """
        import asyncio
        from drupe import Process

        took = []

        class Slow(Process):
            async def run(self):
                took.append("run")
                if len(took) == 1:
                    print("ready")
                    await asyncio.sleep(60)
                return "through"

        process = Slow()

        async def main():
            await process.step_until_terminated()

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted", process.state.value)
        process.execute()
        print(process.result(), *took)
        """
    )
    assert lines == ["ready", "interrupted running", "through run run"]


def test_ctrl_c_in_execute_leaves_the_process_as_it_is_also_in_a_blocking_step():
    lines = interrupted(
        """
        import asyncio
        import atexit
        import time

        loops = []
        # Registered before drupe's own, so called after it. An interrupt leaves a ring of references behind, which
        # keeps the loop: closed only when that is collected, it would be too late.
        atexit.register(lambda: print("closed", loops[0].is_closed()))

        from drupe import Process

        took = []

        class Blocking(Process):
            def run(self):
                took.append("run")
                loops.append(asyncio.get_running_loop())
                if len(took) == 1:
                    print("ready")
                    time.sleep(60)
                return "through"

        process = Blocking()
        try:
            process.execute()
        except KeyboardInterrupt:
            print("interrupted", process.state.value)
        process.execute()
        print(process.result(), *took)
        """
    )
    assert lines == ["ready", "interrupted running", "through run run", "closed True"]
