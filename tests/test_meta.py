"""The tests are tested: under the project's own settings, what is wrong is reported as wrong.

Each test writes a small suite and runs pytest over it with the pytest settings of pyproject.toml and with
tests/conftest.py, in a process of its own.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHUFFLED = "\n".join(f"def test_{letter}(): pass" for letter in "abcdefghijklmnopqrstuvwxyz")

Run = Callable[..., pytest.RunResult]

pytestmark = [pytest.mark.slow, pytest.mark.untraced]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run pytest over one file of tests, as the project does."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text("utf-8"))

    def run(tests: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(test_sample=tests)
        settings = ("-c", ROOT / "pyproject.toml", "--rootdir", pytester.path, "-p", "no:cacheprovider")
        return pytester.runpytest_subprocess(*settings, *arguments, "test_sample.py")

    return run


def order(result: pytest.RunResult) -> list[str]:
    """The names of the tests in the order in which they were collected."""
    return [line for line in result.outlines if line.startswith("test_sample.py::")]


def test_async_tests_really_run_in_functions_and_in_classes(run: Run) -> None:
    result = run(
        """
        import asyncio

        import pytest

        @pytest.fixture
        async def two():
            await asyncio.sleep(0)
            return 2

        async def test_right_function(two):
            await asyncio.sleep(0)
            assert two == 2

        async def test_wrong_function(two):
            await asyncio.sleep(0)
            assert two == 3

        class TestInClass:
            async def test_right_method(self, two):
                await asyncio.sleep(0)
                assert two == 2

            async def test_wrong_method(self, two):
                await asyncio.sleep(0)
                assert two == 3
        """
    )

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines_random(["FAILED *::test_wrong_function*", "FAILED *::TestInClass::test_wrong_method*"])


def test_async_tests_run_once_and_on_asyncio(run: Run) -> None:
    result = run(
        """
        import asyncio

        async def test_loop():
            loop = asyncio.get_running_loop()
            assert isinstance(loop, asyncio.BaseEventLoop)
            assert not loop.get_debug()
        """
    )

    result.assert_outcomes(passed=1)


def test_async_properties_are_really_checked(run: Run) -> None:
    result = run(
        """
        import asyncio

        from hypothesis import given, strategies as st

        @given(st.integers())
        async def test_wrong_property(number):
            await asyncio.sleep(0)
            assert number < 1000
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*number=1000*"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("import warnings; warnings.warn('careful')", id="warning"),
        pytest.param("asyncio.sleep(0)", id="coroutine-not-awaited"),
        pytest.param("open(__file__)", id="file-not-closed"),
        pytest.param(
            "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()", id="thread-that-failed"
        ),
    ],
)
def test_a_warning_is_an_error(run: Run, body: str) -> None:
    result = run(f"import asyncio, gc\n\ndef test_warns():\n    {body}\n    gc.collect()\n")

    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_test_with_nothing_wrong_passes(run: Run) -> None:
    result = run("import asyncio, gc\n\ndef test_fine():\n    gc.collect()\n")

    result.assert_outcomes(passed=1)


def test_an_expected_failure_that_passes_is_an_error(run: Run) -> None:
    result = run("import pytest\n\n@pytest.mark.xfail\ndef test_mended(): pass\n")

    result.assert_outcomes(failed=1)


def test_a_marker_nobody_declared_is_an_error(run: Run) -> None:
    result = run("import pytest\n\n@pytest.mark.slwo\ndef test_marked(): pass\n")

    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_the_order_is_random_and_can_be_repeated(run: Run) -> None:
    first, second, first_again = (
        order(run(SHUFFLED, "--collect-only", "-q", f"--randomly-seed={seed}")) for seed in (1, 2, 1)
    )

    assert first == first_again
    assert first != second
    assert sorted(first) == sorted(second)
    assert first != sorted(first)


def test_the_seed_is_new_in_each_run_and_printed(run: Run) -> None:
    seeds = {line for result in (run(SHUFFLED), run(SHUFFLED)) for line in result.outlines if "randomly-seed" in line}

    assert len(seeds) == 2


def test_what_is_marked_untraced_is_not_and_its_programs_are_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_MARK", "what a program knows by that it is to be traced")
    result = run(
        """
        import os, sys, threading

        import pytest

        TRACE = lambda *event: None
        sys.settrace(TRACE)
        threading.settrace(TRACE)

        @pytest.mark.parametrize("when", ["before", "after"])
        def test_other(when):
            assert sys.gettrace() is threading.gettrace() is TRACE
            assert "COVERAGE_PROCESS_MARK" in os.environ

        @pytest.mark.untraced
        def test_marked():
            assert sys.gettrace() is threading.gettrace() is None
            assert "COVERAGE_PROCESS_MARK" not in os.environ

        test_last = test_other
        """,
        "-p",
        "no:randomly",
        "-p",
        "no:cov",
    )

    result.assert_outcomes(passed=5)
