"""What other systems do differently, as far as it can be tried on this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stylecam.realtime.place import put_in_place


class Held(type(Path())):  # type: ignore[misc]
    """A file that another program lets go of after so many tries, as Windows tells of it."""

    left = 0
    says = 32

    def replace(self, target: Any) -> Any:
        if self.left:
            self.left -= 1
            error = PermissionError(13, "the process cannot access the file")
            error.winerror = self.says  # type: ignore[attr-defined]
            raise error
        return Path(self).replace(target)


def test_a_file_that_a_scanner_reads_gets_its_name_when_it_is_let_go(tmp_path: Path) -> None:
    made, final, pauses = Held(tmp_path / "made"), tmp_path / "final", list[float]()
    final.write_text("old")
    made.write_text("new")
    made.left = 3
    put_in_place(made, final, pauses.append)
    assert final.read_text() == "new"
    assert not made.exists()
    assert pauses == [0.05, 0.1, 0.2]


@pytest.mark.parametrize(("says", "tries"), [(32, 7), (112, 1)])
def test_a_file_that_stays_held_or_fails_otherwise_is_an_error(
    says: int, tries: int, tmp_path: Path
) -> None:
    made, pauses = Held(tmp_path / "made"), list[float]()
    made.write_text("new")
    made.left, made.says = 100, says
    with pytest.raises(OSError, match="cannot access"):
        put_in_place(made, tmp_path / "final", pauses.append)
    assert 100 - made.left == tries
    assert sum(pauses) == pytest.approx(2.55 if tries > 1 else 0)
