"""Time as the machine tells it; the only module that reads a clock."""

import functools
import time


class SystemClock:
    """The machine's clocks. Steady time is ``CLOCK_BOOTTIME`` where there is one (Linux), which also counts sleep."""

    def now(self) -> float:
        """Get the time of day, in seconds since 1970 (UTC)."""
        return time.time()

    if hasattr(time, "CLOCK_BOOTTIME"):

        def steady(self) -> float:
            """Get seconds since the machine was started, sleep included."""
            return time.clock_gettime(time.CLOCK_BOOTTIME)

    else:  # pragma: no cover (other systems: sleep is not counted, so a lease lasts longer, never shorter)

        def steady(self) -> float:
            """Get seconds that only go forward."""
            return time.monotonic()

    @staticmethod
    @functools.cache
    def boot() -> str:
        """Get the kernel's identifier of this boot, or, where it gives none, the time of the boot in minutes."""
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 (pathlib is slow to import)
                return file.read().strip()
        except OSError:  # pragma: no cover (not Linux)
            return f"{(time.time() - time.monotonic()) / 60:.0f}"


tick = time.perf_counter
"""Seconds for measuring how long something took inside this interpreter."""
