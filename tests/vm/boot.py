#!/usr/bin/env python3
"""Run a command on a kernel that has cameras: see README.md. Standard library only."""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TIMED_OUT, DID_NOT_BOOT = 124, 125
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
CARRIED = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "CI")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class CannotBootError(Exception):
    """This machine lacks something; the message says what, and what to do."""


def main() -> int:
    """Boot, run, return the command's status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=420, help="seconds [%(default)s]")
    parser.add_argument("--memory", type=int, default=3072, help="MiB [%(default)s]")
    parser.add_argument("--keep", type=Path, help="folder for what is written into $KEEP")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    options = parser.parse_args()
    try:
        kernel = find_kernel()
        with tempfile.TemporaryDirectory(prefix="stylecam-vm-") as name:
            job = Path(name)
            keep = options.keep or job / "keep"
            keep.mkdir(parents=True, exist_ok=True)
            write_job(job, options.command)
            (job / "initrd").write_bytes(initial_ramdisk(kernel))
            begun = time.monotonic()
            status = boot(kernel, job, keep, options.memory, options.timeout)
            if status in (TIMED_OUT, DID_NOT_BOOT):
                log = (job / "console").read_text(errors="replace").splitlines()
                print("\n".join(["the kernel's last lines:", *log[-25:]]), file=sys.stderr)
            print(f"vm: status {status} after {time.monotonic() - begun:.0f} s")
            return status
    except CannotBootError as error:
        print(f"vm: cannot boot here: {error}", file=sys.stderr)
        return DID_NOT_BOOT


def find_kernel() -> str:
    """Return the newest installed kernel that has an image, vivid and v4l2loopback."""
    for program in ("qemu-system-x86_64", "busybox", "modprobe"):
        if shutil.which(program, path=f"{os.environ['PATH']}:{SBIN}") is None:
            raise CannotBootError(f"{program} is missing; run tests/vm/install as root")
    found = [
        folder.name
        for folder in Path("/lib/modules").glob("*")
        if Path(f"/boot/vmlinuz-{folder.name}").exists()
        and all(any(folder.rglob(f"{name}.ko*")) for name in ("v4l2loopback", "vivid"))
    ]
    if not found:
        raise CannotBootError(
            "no installed kernel has vivid and v4l2loopback; run tests/vm/install as root"
        )
    newest = max(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    if not os.access(f"/boot/vmlinuz-{newest}", os.R_OK):
        raise CannotBootError(f"/boot/vmlinuz-{newest} may not be read; run this as root")
    return newest


def write_job(job: Path, command: list[str]) -> None:
    """Write what the guest is to run, in this folder and environment."""
    lines = [f"export {key}={shlex.quote(os.environ[key])}" for key in CARRIED if key in os.environ]
    lines += [
        "export STYLECAM_VM=1 KEEP=/run/stylecam/keep NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1",
        f"export TERM=dumb PATH=$PATH:{SBIN} OMP_NUM_THREADS=1",
        f"cd {shlex.quote(str(Path.cwd()))}",
        f"exec {shlex.join(command)}",
    ]
    (job / "run").write_text("\n".join(lines) + "\n")
    (job / "settings").write_text(
        f"GUEST={shlex.quote(str(HERE / 'guest'))}\nNOW={time.time():.0f}\n"
    )


def initial_ramdisk(kernel: str) -> bytes:
    """busybox, guest/init, and the modules it takes to reach the root that is shared."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    files = {"bin/busybox": Path(busybox).read_bytes(), "init": (HERE / "guest/init").read_bytes()}
    names: list[str] = []
    for module in MODULES:
        done = subprocess.run(
            ["modprobe", "-S", kernel, "--show-depends", module],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:{SBIN}"},
        )
        for line in done.stdout.splitlines():
            path = Path(line.removeprefix("insmod ").strip())
            if line.startswith("insmod ") and path.name not in names:
                names.append(path.name)
                files[f"lib/{path.name}"] = path.read_bytes()
    files["lib/order"] = ("\n".join(names) + "\n").encode()
    return gzip.compress(archive(files), 1)


def archive(files: dict[str, bytes]) -> bytes:
    """Return a cpio archive in the "newc" format, which the kernel unpacks as its first root."""
    folders = ("bin", "lib", "dev", "proc", "host", "top", "root")
    entries = [(name, 0o040755, b"") for name in folders]
    entries += [(name, 0o100755, data) for name, data in files.items()]
    made = bytearray()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        made += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        made += bytes(-len(made) % 4) + data
        made += bytes(-len(made) % 4)
    return bytes(made)


def boot(kernel: str, job: Path, keep: Path, memory: int, timeout: float) -> int:
    """Run the machine until it powers off; return the status it left, or why there is none."""
    # A /dev/kvm that opens is not enough: in some sandboxes it runs special kernels only.
    modules = [Path("/sys/module", name) for name in ("kvm_intel", "kvm_amd")]
    kvm = os.access("/dev/kvm", os.R_OK | os.W_OK) and any(module.exists() for module in modules)
    command = [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-nic", "none", "-m", str(memory), "-smp", str(os.cpu_count())),
        # Emulated AVX is slower than emulated SSE: a processor without it halves OpenCV's time.
        *(("-accel", "kvm", "-cpu", "host") if kvm else ("-accel", "tcg", "-cpu", "Nehalem")),
        *("-kernel", f"/boot/vmlinuz-{kernel}", "-initrd", str(job / "initrd")),
        *("-append", "console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on tsc=reliable"),
        *("-serial", f"file:{job / 'console'}", "-serial", "stdio"),
        *share("host", Path("/"), readonly=True),
        *share("job", job),
        *share("keep", keep),
    ]
    machine = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        machine.wait(timeout)
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        machine.kill()
        machine.wait()
    try:
        return int((job / "status").read_text())
    except (OSError, ValueError):
        return DID_NOT_BOOT


def share(tag: str, path: Path, *, readonly: bool = False) -> list[str]:
    """QEMU's options for a folder that the guest mounts by its tag."""
    where = f"local,id={tag},path={path},security_model=none,multidevs=remap"
    device = f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"
    return ["-fsdev", where + (",readonly=on" if readonly else ""), "-device", device]


if __name__ == "__main__":
    sys.exit(main())
