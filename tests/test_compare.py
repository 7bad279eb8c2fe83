"""A change is told from noise: seldom where there is none, always where it is large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stylecam.benchmarks import rows
from stylecam.benchmarks.against import measure_in_turns
from stylecam.benchmarks.benchmark import Row
from stylecam.benchmarks.command import main
from stylecam.benchmarks.compare import DAYS_APART, IN_TURNS, chance_of, earlier_rows, judge
from stylecam.benchmarks.suite import load
from stylecam.realtime.errors import StylecamError, UsageError

ENGINE = load("engine")


def row(values: list[float], *, width: int = 640) -> Row:
    case = {"engine": "openvino", "precision": "default", "height": 360, "width": width}
    return case | {"style": "great-wave", "by_round": {"ms_per_picture": values}}


def noisy(random: np.random.Generator, ms: float, rounds: int = 7) -> list[float]:
    """Rounds as machines give them: a few percent of noise, and now and then an outlier."""
    values = ms * np.exp(random.normal(0, 0.03, rounds))
    values[random.random(rounds) < 0.1] *= 1.5
    return [float(value) for value in values]


def words(earlier: list[Row], now: list[Row], tolerance: float) -> list[str]:
    return [verdict.word for verdict in judge(ENGINE, earlier, now, tolerance=tolerance)]


def test_false_alarms_are_as_rare_as_promised() -> None:
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        sides = [[row(noisy(random, 8), width=w) for w in (64, 72, 80, 88)] for _ in "ab"]
        alarms += any(word != "same" for word in words(*sides, tolerance=0))
    assert alarms <= 10  # of 100 comparisons, with 5 expected


@pytest.mark.parametrize(("factor", "word"), [(1.25, "slower"), (0.8, "faster")])
def test_a_large_change_is_seen(factor: float, word: str) -> None:
    random = np.random.default_rng(2)
    sides = [([row(noisy(random, 8))], [row(noisy(random, 8 * factor))]) for _ in range(50)]
    found = [words(*both, tolerance=DAYS_APART)[0] for both in sides]
    assert found.count(word) >= 40
    assert {*found} <= {word, "same"}


def test_a_small_steady_change_counts_only_where_sides_took_turns() -> None:
    then = [8.0, 8.01, 8.02, 7.99, 7.98, 8.0, 8.01]
    now = [1.035 * value for value in then]
    assert words([row(then)], [row(now)], IN_TURNS) == ["slower"]
    assert words([row(then)], [row(now)], DAYS_APART) == ["same"]


def test_the_newest_row_counts_and_few_rounds_are_said() -> None:
    old, new = row([8.0, 8.1, 8.2, 7.9, 8.05]), row([10.0, 10.1, 10.2, 9.9, 10.05])
    assert words([row([99.0] * 5), old], [new], DAYS_APART) == ["slower"]
    assert words([row([8.0, 8.1])], [row([16.0, 16.2])], DAYS_APART) == ["too few rounds"]
    with pytest.raises(UsageError, match="no case"):
        judge(ENGINE, [row([8.0], width=8)], [new], tolerance=0)


def test_chances_by_hand() -> None:
    assert chance_of([1.0, 2.0], [3.0, 4.0]) == pytest.approx(2 / 6)
    assert chance_of([1.0, 4.0], [2.0, 2.0]) == pytest.approx(1)
    many = [*np.linspace(1, 2, 20)]
    assert chance_of(many, [3 * value for value in many]) < 0.001  # drawn, not all tried


def test_compare_exits_by_what_it_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["engine", "--sizes", "64x64", "--engines", "echo", "--rounds", "5", "--no-save"]
    main([*arguments, "--json"])
    measured = json.loads(capsys.readouterr().out)
    for factor, code in ((1 / 50, 1), (50, 0)):
        kept = tmp_path / f"{code}.jsonl"
        then = {key: [factor * v for v in vs] for key, vs in measured[0]["by_round"].items()}
        kept.write_text(json.dumps(measured[0] | {"by_round": then}) + "\n")
        assert main([*arguments, "--compare", str(kept)]) == code
    assert "faster" in capsys.readouterr().out


def test_another_machines_rows_are_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    other = rows.machine() | {"cpu": "Another", "cpu_features": ["avx512f"]}
    kept.write_text(json.dumps(row([8.0]) | other) + "\n")
    with pytest.raises(UsageError, match="no engine rows of this machine") as caught:
        earlier_rows("engine", str(kept), across_machines=False)
    assert "cores of Another (avx512f)" in caught.value.hint
    assert len(earlier_rows("engine", str(kept), across_machines=True)) == 1
    kept.write_text("no JSON\n")
    with pytest.raises(UsageError, match="holds no rows"):
        earlier_rows("engine", str(kept), across_machines=True)


def test_rows_of_a_revision() -> None:
    assert earlier_rows("engine", "HEAD", across_machines=True)
    with pytest.raises(UsageError, match="neither a file nor a revision"):
        earlier_rows("engine", "no-such-revision", across_machines=True)


def test_a_revision_is_measured_in_turns() -> None:
    arguments = ["--sizes", "64x64", "--engines", "echo", "--rounds", "1"]
    there, here = measure_in_turns("HEAD", "engine", ENGINE, arguments, turns=2)
    for side in (there, here):
        assert [len(values) for values in side[0]["by_round"].values()] == [2, 2]
    assert there[0]["commit"] == here[0]["commit"].rstrip("+")
    with pytest.raises(UsageError, match="no revision"):
        measure_in_turns("no-such-revision", "engine", ENGINE, arguments, turns=1)
    with pytest.raises(StylecamError, match="cannot measure"):
        measure_in_turns("HEAD", "engine", ENGINE, ["--unknown"], turns=1)
