"""Threads: order, drops, errors, and that every way out leaves nobody behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from media import arrive
from stylecam.realtime.background import BackgroundCall, Periodic
from stylecam.realtime.pacing import fine_waits
from stylecam.realtime.signals import break_off_on_signals, stop_on_signals
from stylecam.realtime.threads import Threads


def test_items_arrive_in_order_and_complete() -> None:
    with Threads() as threads:
        twice = (2 * n for n in threads.ahead(iter(range(500)), capacity=2))
        assert list(threads.ahead(twice, capacity=3)) == [2 * n for n in range(500)]


def test_a_stop_before_the_end_is_told_from_one_after_it() -> None:
    with Threads() as threads:
        for n in threads.ahead(threads.ahead(iter(range(500)))):
            if n == 100:
                threads.stop()
        assert threads.cut_short
    with Threads() as threads:
        assert len(list(threads.ahead(threads.ahead(iter(range(500)))))) == 500
        threads.stop()
        assert not threads.cut_short
    assert not threads.cut_short


def test_a_full_queue_makes_the_worker_wait() -> None:
    made: list[int] = []

    def count() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    with Threads() as threads:
        items = threads.ahead(count(), capacity=2)
        assert next(items) == 0
        time.sleep(0.1)
        assert len(made) <= 4  # one taken, two queued, one in the worker's hand


def test_the_newest_wins_and_drops_are_told() -> None:
    dropped: list[int] = []
    done = threading.Event()

    def count() -> Iterator[int]:
        yield from range(50)
        done.set()

    with Threads() as threads:
        items = threads.ahead(count(), newest=True, on_drop=dropped.append)
        assert done.wait(5)
        rest = list(items)
    assert rest == [49]
    assert dropped == list(range(49))


def test_an_error_comes_after_the_good_items() -> None:
    def fail() -> Iterator[int]:
        yield from range(3)
        raise ValueError("boom")

    got: list[int] = []
    with pytest.raises(ValueError, match="boom"), Threads() as threads:
        got.extend(threads.ahead(threads.ahead(fail(), capacity=9), capacity=9))
    assert got == [0, 1, 2]
    with Threads() as threads:
        items = threads.ahead(fail(), capacity=9)
        assert [next(items) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="boom"):
            next(items)


def test_leaving_early_ends_endless_workers_and_closes_their_generators() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with Threads() as threads:
        items = threads.ahead(threads.ahead(endless()), capacity=2)
        assert next(items) == 1
    assert closed.is_set()


def test_stop_lets_what_is_under_way_through() -> None:
    with Threads() as threads:
        items = threads.ahead(iter(int, 1), capacity=2)
        next(items)
        threads.stop()
        rest = list(items)
    assert len(rest) <= 4


def test_stop_does_not_wait_for_a_worker_that_hangs() -> None:
    release = threading.Event()

    def hang() -> Iterator[int]:
        yield 1
        release.wait(20)

    begun = time.monotonic()
    with Threads() as threads:
        items = threads.ahead(hang())
        assert next(items) == 1
        threads.stop()
        assert list(items) == []
        waited = time.monotonic() - begun
        release.set()
    assert waited < 2


def test_sleep_is_woken_by_stop() -> None:
    threads = Threads()
    threading.Timer(0.05, threads.stop).start()
    begun = time.monotonic()
    threads.sleep(20)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("newest", [True, False])
def test_two_hundred_stops_leave_nobody(newest: bool) -> None:
    for turn in range(200):
        with Threads() as threads:
            items = threads.ahead(threads.ahead(iter(int, 1), newest=newest), capacity=1 + turn % 3)
            for _ in range(turn % 5):
                next(items)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_two_signals_at_once_do_not_deadlock() -> None:
    """More come while the first one's handler runs, at every line of it."""
    script = """
import os, signal, sys, threading
from stylecam.realtime.signals import stop_on_signals
from stylecam.realtime.signals import stop_on_signals
from stylecam.realtime.threads import Threads
sent = []
def trace(frame, event, arg):
    if event == "line" and len(sent) < 40:
        sent.append(1)
        os.kill(os.getpid(), signal.SIGHUP)
    return trace
threads = Threads()
with stop_on_signals(threads), threads:
    sys.settrace(trace)
    os.kill(os.getpid(), signal.SIGHUP)
    threads.stopping
    sys.settrace(None)
    os.kill(os.getpid(), signal.SIGTERM)
    assert threads.stopping
    threads.finishing = True
    os.kill(os.getpid(), signal.SIGINT)
    threads.finishing = False
    items = threads.ahead(iter(int, 1))
    list(items)
print("well", len(sent))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=20
    )
    assert re.fullmatch(r"well ([3-9]|\d\d)\n", done.stdout), done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        break_off_on_signals()
        with stop_on_signals(Threads()):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGTERM, terminated)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="it stands for Windows' SIGBREAK")
def test_where_there_is_no_hangup_break_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(signal, "SIGHUP")
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    threads = Threads()
    with stop_on_signals(threads):
        arrive(signal.SIGUSR1)
        assert threads.stopping


def test_fine_waits_end_with_the_block() -> None:
    calls: list[tuple[str, int]] = []

    class Timer:
        def timeBeginPeriod(self, period_ms: int) -> None:  # noqa: N802 - as Windows names it
            calls.append(("begin", period_ms))

        def timeEndPeriod(self, period_ms: int) -> None:  # noqa: N802
            calls.append(("end", period_ms))

    with fine_waits(Timer()):
        assert calls == [("begin", 1)]
    assert calls == [("begin", 1), ("end", 1)]
    with fine_waits():  # does nothing here
        pass


def test_work_beside_a_run_hands_over_its_errors() -> None:
    turns: list[int] = []

    def work() -> float:
        turns.append(1)
        if len(turns) == 3:
            raise ValueError("boom")
        return 0.001

    periodic, call = Periodic(work), BackgroundCall(lambda: 1 // 0)
    deadline = time.monotonic() + 5
    while (len(turns) < 3 or not call.done) and time.monotonic() < deadline:
        time.sleep(0.01)
    periodic.stop()
    periodic.stop()
    with pytest.raises(ValueError, match="boom"):
        periodic.check()
    with pytest.raises(ZeroDivisionError):
        call.result()
    assert BackgroundCall(lambda: 7).result() == 7
