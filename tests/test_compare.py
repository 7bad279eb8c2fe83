"""A change is told from noise: seldom where there is none, always where it is large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stylecam.benchmarks.against import measure_in_turns
from stylecam.benchmarks.benchmark import Row
from stylecam.benchmarks.command import main
from stylecam.benchmarks.compare import (
    TOLERANCE,
    chance_of,
    earlier_rows,
    judge,
    least_chance,
    pairs_of,
    turns_needed,
)
from stylecam.benchmarks.machine import describe_machine
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


def words(earlier: list[Row], now: list[Row], tolerance: float = TOLERANCE) -> list[str]:
    pairs = pairs_of(ENGINE, earlier, now)
    return [verdict.word for verdict in judge(pairs, tolerance=tolerance)]


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
    found = [words(*both)[0] for both in sides]
    assert found.count(word) >= 40
    assert {*found} <= {word, "same"}


def test_a_small_steady_change_counts_from_the_tolerance_on() -> None:
    then = [8.0, 8.01, 8.02, 7.99, 7.98, 8.0, 8.01]
    for factor, word in ((1.035, "slower"), (1.01, "same")):
        assert words([row(then)], [row([factor * value for value in then])]) == [word]


def test_the_newest_row_counts_and_too_few_turns_are_refused() -> None:
    old, new = row([8.0, 8.1, 8.2, 7.9, 8.05]), row([10.0, 10.1, 10.2, 9.9, 10.05])
    assert words([row([99.0] * 5), old], [new]) == ["slower"]
    with pytest.raises(UsageError, match="too few turns") as caught:
        words([row([8.0, 8.1])], [row([16.0, 16.2])])
    assert "--turns 4" in caught.value.hint
    with pytest.raises(UsageError, match="no case"):
        pairs_of(ENGINE, [row([8.0], width=8)], [new])


def test_what_so_many_rounds_can_show() -> None:
    assert least_chance(2, 2) == pytest.approx(2 / 6)
    assert least_chance(2, 4) == pytest.approx(1 / 15)  # no regrouping but itself is as extreme
    assert chance_of([1.0, 2.0], [3.0, 4.0, 5.0, 6.0]) == pytest.approx(1 / 15)
    assert least_chance(20, 20) == pytest.approx(1 / 20_000)
    assert [turns_needed(figures) for figures in (1, 2, 14, 40)] == [4, 6, 6, 8]


def test_what_peers_share_is_compared_once() -> None:
    peers = load("peers")
    rows_of = [
        [
            {"case": "network alone", "peer": peer, "by_round": {"our_ms": ours, "peer_ms": theirs}}
            for peer, theirs in (("A", [80.0, 81.0]), ("B", [90.0, 91.0]))
        ]
        for ours in ([8.0, 8.1], [8.2, 8.3])
    ]
    assert [pair.measure for pair in pairs_of(peers, *rows_of)] == ["our_ms"]


def test_chances_by_hand() -> None:
    assert chance_of([1.0, 2.0], [3.0, 4.0]) == pytest.approx(2 / 6)
    assert chance_of([1.0, 4.0], [2.0, 2.0]) == pytest.approx(1)
    many = [*np.linspace(1, 2, 20)]
    assert chance_of(many, [3 * value for value in many]) < 0.001  # drawn, not all tried


def test_compare_sets_side_by_side_and_gives_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rounds of one process are no measure of another day's."""
    arguments = ["engine", "--sizes", "64x64", "--engines", "echo", "--rounds", "5", "--no-save"]
    main([*arguments, "--json"])
    measured = json.loads(capsys.readouterr().out)
    kept = tmp_path / "kept.jsonl"
    then = {key: [v / 50 for v in vs] for key, vs in measured[0]["by_round"].items()}
    kept.write_text(json.dumps(measured[0] | {"by_round": then}) + "\n")
    assert main([*arguments, "--compare", str(kept)]) == 0
    shown = capsys.readouterr().out
    assert "No verdict" in shown
    assert "slower" not in shown
    main([*arguments, "--compare", str(kept), "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert {*printed} == {"rows", "beside"}
    assert float(printed["beside"][0]["ratio"]) > 10
    kept.write_text(json.dumps({k: v for k, v in measured[0].items() if k != "by_round"}) + "\n")
    with pytest.raises(UsageError, match="kept no rounds"):  # before anything is measured
        main(["engine", "--engines", "nonsense", "--compare", str(kept)])


@pytest.mark.parametrize("name", ["floor", "graphs", "quality", "kernels"])
def test_what_keeps_no_rounds_cannot_be_compared(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--compare", "--against"):
        with pytest.raises(SystemExit) as ended:
            main([name, option, "HEAD"])
        assert ended.value.code == 2
        assert f"unrecognized arguments: {option}" in capsys.readouterr().err


def test_another_machines_rows_are_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    other = describe_machine() | {"cpu": "Another", "cpu_features": ["avx512f"]}
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
    asked: list[int] = []

    def two(there: list[Row], here: list[Row]) -> int:
        asked.append(len(pairs_of(ENGINE, there, here)))
        return 2

    there, here = measure_in_turns("HEAD", "engine", ENGINE, arguments, turns=two)
    assert asked == [2]  # once, after the first turn: speed and latency
    for side in (there, here):
        assert [len(values) for values in side[0]["by_round"].values()] == [2, 2]
    assert there[0]["commit"] == here[0]["commit"].rstrip("+")
    with pytest.raises(UsageError, match="no revision"):
        measure_in_turns("no-such-revision", "engine", ENGINE, arguments, turns=two)
    with pytest.raises(StylecamError, match="cannot measure"):
        measure_in_turns("HEAD", "engine", ENGINE, ["--unknown"], turns=two)


def test_too_few_turns_are_refused_with_the_number_that_is_enough() -> None:
    arguments = ["--sizes", "64x64", "--engines", "echo", "--rounds", "1", "--against"]
    for revision, turns, needed in (("no-such-revision", 2, 4), ("HEAD", 4, 6)):
        with pytest.raises(UsageError, match=f"{turns} turns cannot tell") as caught:
            main(["engine", *arguments, revision, "--turns", str(turns)])
        assert f"--turns {needed}" in caught.value.hint


def test_a_verdict_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--sizes", "64x64", "--engines", "echo", "--rounds", "1", "--json"]
    code = main(["engine", *arguments, "--against", "HEAD"])
    found = json.loads(capsys.readouterr().out)
    assert [verdict["measure"] for verdict in found] == ["ms_per_picture", "latency"]
    assert code == int(any(verdict["word"] == "slower" for verdict in found))
