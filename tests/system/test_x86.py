# SPDX-License-Identifier: Apache-2.0
"""dom0 with its devices and boot-time PVH domains on x86-64: Debian's kernels, their ends, and kernels that are no good."""
import hashlib
import http.server
import random
import re
import threading

import pytest

from guests import ENTRY, elf
from machine import CACHE, Domain, Kernel
from test_boot import check_guest

OPTIONS = "console=com1 guest_loglvl=all"


@pytest.mark.parametrize("kernel,cpus,vcpus,domains", [("cloud", 2, 1, 1), ("cloud", 1, 2, 2),
                                                       ("vmlinux", 2, 2, 2), ("cloud", 4, 4, 1)])
def test_boot_time_domains(boot, kernel, cpus, vcpus, domains):
    """Each reaches its shell and says what it was given; no warning of its kernel's is about us."""
    names = ["one", "two"][:domains]
    filled = cpus == 1  # by hand: the emulator is known not to need it
    run = boot(arch="x86_64", options=OPTIONS + " spec-ctrl=rsb" * filled, cpus=cpus,
               domains=[Domain(n, kernel, memory=256, cpus=vcpus) for n in names])
    ups = run.expect_guests(*names, timeout=180)
    for name in names:
        check_guest(ups[name], vcpus, 256)
    assert run.shell("hostname")[1].strip() == "one"
    text = run.text()
    assert re.search(r"speculation: no IBRS, no IBPB, %s, LFENCE as found; guests have nothing; the CPU lacks automatic IBRS, IBRS, "
                     % ("return stack filled at exits" if filled else "an emulator, which does not speculate"), text)
    assert not re.search(r"unchecked MSR access|XSAVE consistency|not listed by the BIOS|cut here", text)


# Kernel of dom0, CPUs, vCPUs of dom0, and of a domain beside it (0: none).
@pytest.mark.parametrize("kernel,cpus,dom0_cpus,domu_cpus", [("kernel", 1, 1, 2), ("vmlinux", 2, 3, 1), ("vmlinux", 4, 4, 0),
                                                             pytest.param("vmlinux", 2, 2, 2, marks=pytest.mark.full)])
def test_dom0(boot, kernel, cpus, dom0_cpus, domu_cpus):
    """It reaches its shell, and so does a domain beside it; no warning of its kernel's is about us."""
    domains = [Domain("one", memory=192, cpus=domu_cpus)] if domu_cpus else []
    run = boot(arch="x86_64", cpus=cpus, dom0=Kernel(kernel), domains=domains,
               options=OPTIONS + " dom0_mem=384M dom0_max_vcpus=%d" % dom0_cpus)
    ups = run.expect_guests("dom0", *[d.name for d in domains], timeout=240)
    check_guest(ups["dom0"], dom0_cpus, 384)
    if domains:
        check_guest(ups["one"], domu_cpus, 192)
    status, text = run.shell("mount -t xenfs x /proc/xen; cat /proc/xen/capabilities")
    assert status == 0 and "control_d" in text
    assert not re.search(r"unchecked MSR access|XSAVE consistency|ACPI Error|cut here|soft lockup", run.text())


def serve(data):
    """The port of a web server on the host that answers everything with these bytes."""
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


@pytest.mark.parametrize("interrupts", ["messages", pytest.param("lines", marks=pytest.mark.full)])
def test_disk_and_network_of_dom0(boot, tmp_path, interrupts):
    """AHCI and e1000e at once: what is read, written and received is right to the byte."""
    data = random.Random(1).randbytes(8 << 20)
    disk = tmp_path / "disk"
    disk.write_bytes(data)
    port = serve(data)
    args = "kmods=ahci,sd_mod,e1000e" + " pci=nomsi" * (interrupts == "lines")
    run = boot(arch="x86_64", dom0=Kernel("vmlinux", args, "machine"), options=OPTIONS + " dom0_mem=384M",
               disk=disk, network=True)
    run.expect_guest("dom0", 240)
    status, text = run.shell("ifconfig eth0 10.0.2.15; for i in $(seq 30); do ping -c 1 -W 2 10.0.2.2 && exit 0; "
                             "done; exit 1", 90)
    assert status == 0, text
    # Received and written to the second half of the disk, while the first half is read.
    status, text = run.shell(
        "dd if=/dev/sda bs=1M count=4 2>/dev/null | md5sum >/tmp/read & "
        "for i in 1 2 3; do wget -q -O - http://10.0.2.2:%d/ | md5sum; done >/tmp/got; "
        "wget -q -O - http://10.0.2.2:%d/ | dd of=/dev/sda bs=64k seek=64 count=64 iflag=fullblock 2>/dev/null; "
        "wait; sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/sda bs=1M skip=4 2>/dev/null | md5sum; "
        "cat /tmp/read /tmp/got" % (port, port), 300)
    half, whole = hashlib.md5(data[:4 << 20]).hexdigest(), hashlib.md5(data).hexdigest()
    assert status == 0 and re.findall(r"[0-9a-f]{32}", text) == [half, half, whole, whole, whole], text
    assert disk.read_bytes() == data[:4 << 20] * 2
    _, text = run.shell("grep -E 'ahci|eth0' /proc/interrupts")
    counts = [sum(map(int, re.findall(r" (\d+)(?= )", line.split(":")[1]))) for line in text.splitlines() if ":" in line]
    assert len(counts) >= 2 and max(counts) > 50, text
    assert ("MSI" in text) == (interrupts == "messages") and ("fasteoi" in text) == (interrupts == "lines"), text
    assert not re.search(r"ata\d.*(failed|timeout)|NETDEV WATCHDOG|nobody cared|AMD-Vi \d", run.text())


@pytest.mark.full
@pytest.mark.parametrize("device,node,modules", [("nvme,serial=1", "nvme0n1", "nvme"),
                                                 ("virtio-blk-pci,iommu_platform=on,disable-legacy=on", "vda", "virtio_pci,virtio_blk")],
                         ids=["nvme", "virtio"])
def test_other_disks_of_dom0(boot, tmp_path, device, node, modules):
    """What is written is on the disk, and read again, with several vCPUs' queues."""
    data = random.Random(2).randbytes(8 << 20)
    disk = tmp_path / "disk"
    disk.write_bytes(data)
    run = boot(arch="x86_64", dom0=Kernel("vmlinux", "kmods=" + modules, "machine"), options=OPTIONS + " dom0_mem=384M",
               qemu_args=["-drive", "file=%s,format=raw,if=none,id=d" % disk, "-device", device + ",drive=d"])
    run.expect_guest("dom0", 240)
    status, text = run.shell("dd if=/dev/%s of=/tmp/a bs=1M count=4 2>/dev/null; dd if=/tmp/a of=/dev/%s bs=64k seek=64 2>/dev/null; "
                             "sync; echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/%s" % (node, node, node), 120)
    assert status == 0 and hashlib.md5(data[:4 << 20] * 2).hexdigest() in text, text
    assert disk.read_bytes() == data[:4 << 20] * 2


def test_dom0_crash_is_reported_and_resets_the_machine(boot):
    """Of a dom0 that no tree describes: the first module is its kernel, the second its initial file system."""
    run = boot(arch="x86_64", dom0=Kernel("vmlinux", "quiet"), options=OPTIONS + " dom0_mem=384M dom0_max_vcpus=1", plain=True)
    check_guest(run.expect_guest("dom0", 180), 1, 384)
    run.line("echo c >/proc/sysrq-trigger")
    run.expect("d0: dom0 crashed")
    assert run.expect_end() == 0


def test_dom0_is_refused_and_domains_go_on_until_the_machine_breaks(boot):
    run = boot(arch="x86_64", options=OPTIONS, dom0=Kernel("cloud"), domains=[Domain("one")], iommu=False)
    run.expect_guest("one", 120)
    assert re.search(r"not started: dom0 on x86 needs a usable IOMMU", run.text())
    run.line("poweroff -f")
    run.expect("d1: one powered off")
    # What the CPU says of the machine's end is reported. All is idle, for QEMU hands it to a guest that runs.
    run.qmp("human-monitor-command", **{"command-line": "mce 0 1 0xb600000000000135 5 0xabc000 0"})
    run.expect("machine check now: bank 1, status b600000000000135, address abc000")
    run.expect(r"PANIC on CPU 0: machine check[^\n]*\n(?s:.*)by [0-9a-f]+ \w+")
    assert run.expect_end() == 0


@pytest.mark.full    # test_boot's test of ends does the same beside a dom0
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
