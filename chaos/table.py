"""What came out of a run, as a table for people."""

from collections.abc import Iterator, Sequence

from chaos.verdict import PROBLEMS, Verdict, share

DONE = {
    "killed": "workers killed",
    "frozen": "workers frozen past their lease, then continued",
    "drained": "workers stopped in good order",
    "gave up": "workers that ended because others had declared them dead",
    "restarted": "restarts of database or broker",
    "asked again": "submissions that had to be repeated",
}


def lines(verdict: Verdict, seconds: float) -> Iterator[str]:
    """Get the lines of the table."""
    yield _line("processes submitted", f"{verdict.processes:,}")
    yield _line("steps committed", f"{verdict.steps:,}")
    if seconds:
        yield _line("processes a second", f"{verdict.processes / seconds:,.0f}")
    for what, words in DONE.items():
        if verdict.counts[what] or what in ("killed", "frozen"):
            yield _line(words, f"{verdict.counts[what]:,}")
    yield _line("effects by their key, each once", f"{verdict.effects:,}")
    yield _line("effects without a key, of those repeated", f"{verdict.repeated:,}")
    yield _line("stale writes refused", f"{verdict.refused:,}")
    yield _line("broadcasts heard", f"{verdict.told:,}")
    if verdict.calls:
        failed = ", ".join(f"{kind} {count}" for kind, count in sorted(verdict.failed.items()))
        yield _line("calls made meanwhile", f"{verdict.calls:,}")
        yield _line("calls that failed, each by an error that says so", f"{verdict.failed.total():,}") + (
            failed and f"    {failed}"
        )
        yield _line("seconds past its deadline, of the latest call", f"{verdict.latest:.2f}")
    yield _times("seconds until a killed worker's process goes on", verdict.taken_over)
    yield _times("  of these, where another was at work all the while", verdict.beside)
    yield _times("seconds until a frozen worker's process goes on", verdict.thawed)
    yield ""
    for problem, words in PROBLEMS.items():
        count = verdict.problems[problem]
        yield _line(problem, f"{count:,}") + (f"    FAILED: {words}" if count else "")
        yield from (f"        {example[:300]}" for example in verdict.examples.get(problem, ()))


def _line(what: str, value: str) -> str:
    return f"{what:<56}{value:>10}"


def _times(what: str, ascending: Sequence[float]) -> str:
    if not ascending:
        return _line(what, "none")
    p50, p99, most = share(ascending, 0.5), share(ascending, 0.99), ascending[-1]
    return _line(what, f"{len(ascending):,}") + f"    p50 {p50:.2f}  p99 {p99:.2f}  max {most:.2f}"
