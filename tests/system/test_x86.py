# SPDX-License-Identifier: Apache-2.0
"""Boot-time PVH domains on x86-64: Debian's kernels, their ends, and kernels that are no good."""
import re
import struct

import pytest

from machine import CACHE, Domain, Kernel
from test_boot import check_guest

OPTIONS = "console=com1 guest_loglvl=all"


@pytest.mark.parametrize("kernel,cpus,vcpus,domains", [("cloud", 2, 1, 1), ("cloud", 1, 2, 2),
                                                       ("kernel", 2, 2, 2), ("cloud", 4, 4, 1)])
def test_boot_time_domains(boot, kernel, cpus, vcpus, domains):
    """Each reaches its shell and says what it was given; no warning of its kernel's is about us."""
    names = ["one", "two"][:domains]
    run = boot(arch="x86_64", options=OPTIONS, cpus=cpus,
               domains=[Domain(n, kernel, memory=256, cpus=vcpus) for n in names])
    ups = run.expect_guests(*names, timeout=180)
    for name in names:
        check_guest(ups[name], vcpus, 256)
    assert run.shell("hostname")[1].strip() == "one"
    text = run.text()
    assert not re.search(r"unchecked MSR access|XSAVE consistency|not listed by the BIOS|cut here", text)


def test_dom0_is_refused_and_domains_go_on(boot):
    run = boot(arch="x86_64", options=OPTIONS, dom0=Kernel("cloud"), domains=[Domain("one")])
    run.expect_guest("one", 120)
    assert re.search(r"not started: dom0 on x86 needs a usable IOMMU", run.text())


def test_ends_of_domains(boot):
    """One reboots (it is built again), then crashes; the other goes on and then switches itself off."""
    run = boot(arch="x86_64", options=OPTIONS,
               domains=[Domain("a", args="quiet"), Domain("b", args="quiet", cpus=2)])
    run.expect_guests("a", "b", timeout=120)
    run.line("reboot -f")
    assert run.expect_guest("a")["cpus"] == "1"
    run.line("echo c >/proc/sysrq-trigger")
    run.expect("d1: a crashed")
    run.send("\x01\x01\x01")
    run.expect("Input to d2")
    assert run.shell("hostname; nproc")[1].split() == ["b", "2"]
    run.line("poweroff -f")
    run.expect("d2: b powered off")


# ---- kernels that are no good -----------------------------------------------------------------------

ENTRY = 0x100000
NOTE = struct.pack("<3I4sI", 4, 4, 18, b"Xen\0", ENTRY)
LOAD, NOTES = 1, 4


def elf(*segments, machine=62, notes=NOTE):
    """A small ELF file: segments are (guest address, bytes in the file, bytes in memory)."""
    offset = 64 + 56 * (len(segments) + 1)
    headers = struct.pack("<2I6Q", NOTES, 4, offset, 0, 0, len(notes), len(notes), 4)
    body = notes.ljust(64, b"\0")
    for address, in_file, in_memory in segments:
        headers += struct.pack("<2I6Q", LOAD, 7, offset + len(body), address, address, in_file,
                               in_memory, 4096)
        body += b"\xf4" * min(in_file, 4096)
    return struct.pack("<16sHHI3QI6H", b"\x7fELF\2\1\1", 2, machine, 1, 0, 64, 0, 0, 64, 56,
                       len(segments) + 1, 0, 0, 0) + headers + body


def cloud(cut=None, at=None, value=None):
    data = (CACHE / "x86_64/cloud/vmlinuz").read_bytes()[:cut]
    return data if at is None else data[:at] + value + data[at + len(value):]


TOP = 1 << 64
BAD = [
    ("nothing", lambda: b"not a kernel" * 100, "neither ELF nor bzImage"),
    ("short", lambda: b"\x7fELF", "shorter than its header"),
    ("other-machine", lambda: elf((ENTRY, 4096, 4096), machine=183), "not an x86-64 program"),
    ("no-note", lambda: elf((ENTRY, 4096, 4096), notes=b"\0" * 16), "no PVH entry note"),
    ("entry-outside", lambda: elf((ENTRY + 0x10000, 4096, 4096)), "entry lies outside"),
    ("overlap", lambda: elf((ENTRY, 4096, 8192), (ENTRY + 4096, 4096, 4096)), "overlap"),
    ("wraps", lambda: elf((ENTRY, 4096, 4096), (TOP - 4096, 4096, 8192)), "outside of 1 MiB to 3 GiB"),
    ("low", lambda: elf((0x1000, 4096, 4096)), "outside of 1 MiB to 3 GiB"),
    ("beyond-file", lambda: elf((ENTRY, 1 << 40, 1 << 41)), "truncated"),
    ("file-larger", lambda: elf((ENTRY, 4096, 512)), "larger in the file than in memory"),
    ("beyond-memory", lambda: elf((ENTRY, 4096, 1 << 30)), "do not hold the kernel"),
    ("truncated", lambda: cloud(cut=1 << 20), "truncated"),
    ("payload-outside", lambda: cloud(at=0x248, value=b"\xff\xff\xff\x7f"), "outside of the file"),
    ("unknown-format", lambda: cloud(at=40 * 512 + 716, value=b"\0\0\0\0"), "something unknown"),
    ("damaged", lambda: cloud(at=40 * 512 + 716 + 5000, value=b"\xff" * 4096), "damaged"),
]


@pytest.fixture(scope="module")
def bad_machine(tmp_path_factory):
    """One boot of all of them, with a good one behind."""
    from machine import Machine
    folder = tmp_path_factory.mktemp("kernels")
    domains = []
    for name, make, _ in BAD:
        (folder / name).write_bytes(make())
        domains.append(Domain(name, folder / name, memory=64))
    machine = Machine("krypton", arch="x86_64", options=OPTIONS, domains=domains + [Domain("good")])
    with machine.boot("x86-bad-kernels") as run:
        run.expect_guest("good", 120)
        yield run


@pytest.mark.parametrize("name,says", [(b[0], b[2]) for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_kernel_is_named_and_not_started(bad_machine, name, says):
    lines = [line for line in bad_machine.text().splitlines() if "/chosen/%s" % name in line]
    assert any(says in line for line in lines), lines
    assert ": %s: 64 MiB" % name not in bad_machine.text()
