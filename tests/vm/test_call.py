"""Webcam -> stylecam -> virtual camera -> Chromium -> the far end of a call. See README.md."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if "STYLECAM_VM" not in os.environ:
    pytest.skip("needs real cameras: tests/vm/README.md", allow_module_level=True)

import cv2
from vm.devices import OUTPUT, WEBCAM, difference, hold_still, read, running

pytestmark = pytest.mark.timeout(300)
BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "chromium"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--disable-sync"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-default-apps", "--mute-audio"),
    "--disable-features=WebRtcHideLocalIpsWithMdns,Translate",
    *("--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection"),
)


class Page(http.server.SimpleHTTPRequestHandler):
    """Serves this folder, and takes what the page tells."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/report":
            self.server.report.append(told)  # type: ignore[attr-defined]
        else:
            print(f"  {time.strftime('%X')}  {told}", flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def call(seconds: int) -> dict[str, Any]:
    """Have Chromium call itself with the camera named stylecam; return what it saw."""
    page = functools.partial(Page, directory=str(Path(__file__).parent))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), page) as server,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        Path("/tmp/browser.log").open("w") as log,
    ):
        server.report = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://localhost:{server.server_port}/call.html?name=stylecam&seconds={seconds}"
        browser = subprocess.Popen(
            [BROWSER, *FLAGS, f"--user-data-dir={profile}", url],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 150
        while not server.report and time.monotonic() < deadline:  # type: ignore[attr-defined]
            time.sleep(0.2)
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        server.shutdown()
        said = Path("/tmp/browser.log").read_text(errors="replace").splitlines()
        assert server.report, "\n".join(["no report from the page; the browser said:", *said[-15:]])  # type: ignore[attr-defined]
        report: dict[str, Any] = server.report[0]  # type: ignore[attr-defined]
    assert "error" not in report, report
    return report


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (32, 18), interpolation=cv2.INTER_AREA)


def pixels(seen: dict[str, Any]) -> np.ndarray:
    return np.array(seen["pixels"], np.uint8).reshape(18, 32, 3)


def test_a_call_shows_the_painting() -> None:
    """The network works on a small picture: what it paints is checked elsewhere."""
    hold_still()
    photo = read(WEBCAM, 2)[-1]
    with running("--style", "great-wave", "--size", "90"):
        painting = read(OUTPUT, 2)[-1]
        report = call(seconds=8)
    assert difference(photo, painting) > 20
    assert any("stylecam" in label for label in report["cameras"]), report["cameras"]
    far_end = report["call"]
    near = difference(pixels(report["seen"]), small(painting))
    far = difference(pixels(far_end["last"]), small(painting))
    print(
        f"\n  in the page {near:.1f}/255, at the far end {far:.1f}/255 of the painting; "
        f"the photo would be {difference(small(photo), small(painting)):.0f} away; "
        f"{far_end['frames']} frames of {far_end['last']['width']}x{far_end['last']['height']}"
    )
    assert (report["seen"]["width"], report["seen"]["height"]) == (320, 180)
    assert near < 3
    assert far < 6
    assert far_end["frames"] >= 10


def test_colours_are_right_at_the_usual_size() -> None:
    """At 720 lines and more many take YUV for BT.709. Bars of full strength would tell: their
    green would be 30 off."""
    hold_still()
    photo = read(WEBCAM, 2)[-1]
    with running("--engine", "echo", "--virtual-camera-fps", "4", size="1280x720"):
        seen = call(seconds=0)["seen"]
        opened = read(OUTPUT)[0]
    assert (seen["width"], seen["height"]) == (1280, 720)
    in_page = np.abs(pixels(seen).astype(int) - small(photo))
    in_opencv = np.abs(small(opened).astype(int) - small(photo))
    print(f"\n  {seen['colour']}: off by {in_page.mean():.1f}/255, OpenCV {in_opencv.mean():.1f}")
    assert in_opencv.mean() < 3
    assert in_page.mean() < 3
