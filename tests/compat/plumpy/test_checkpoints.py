"""What one of the two libraries saved, the other loads, and goes on with as the first one would."""

from pathlib import Path

import pytest

from tests.compat.both import DROP_IN, ORIGINAL, told

HERE = Path(__file__).parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.mark.parametrize(("writer", "reader"), [(ORIGINAL, DROP_IN), (DROP_IN, ORIGINAL), (DROP_IN, DROP_IN)])
def test_a_checkpoint_is_loaded_whoever_wrote_it(tmp_path, writer, reader):
    def found(writer, reader):
        folder = tmp_path / f"{writer}-{reader}"
        folder.mkdir()
        assert len(told(writer, "-m", "kept", "write", str(folder), beside=[HERE])) == 18
        return told(reader, "-m", "kept", "read", str(folder), beside=[HERE])

    expected = found(ORIGINAL, ORIGINAL)

    assert len(expected) == 36
    assert found(writer, reader) == expected
    assert expected["waiting yaml"][2:] == ["value", {"seen": [3, [2], "value"]}]
    assert expected["chain-7 pickle"][2] == [5, [1, 3, 5]]
