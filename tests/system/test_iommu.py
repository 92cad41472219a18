# SPDX-License-Identifier: Apache-2.0
"""What devices can reach that nobody was given, with an IOMMU and without, and those that dom0 has.

QEMU's edu device is driven from outside the machine, through QEMU's own test socket, as a device
would be that somebody else has taken over.
"""
import hashlib
import random
import re
import socket
import struct
import time

import pytest

from machine import PATIENCE, SLOW, Kernel, connect

SLOT = 5
EDU_SOURCE, EDU_TARGET, EDU_COUNT, EDU_COMMAND = 0x80, 0x88, 0x90, 0x98
EDU_BUFFER = 0x40000
EDU_TO_BUFFER = 1       # start, from memory to the device
EDU_FROM_BUFFER = 3     # start, from the device to memory
MARK = 0x11223344
DOM0_WORD = 0x1122334455667788
IOMMU_REGISTERS = 0xFED80000
# Both below the 256 MiB that edu reaches.
UNUSED = 0x5000000      # memory that nobody uses
TEXT = 0x210000         # in the hypervisor


class Outside:
    """Ports and memory of the machine, as seen from the bus."""

    def __init__(self, path):
        connection = socket.socket(socket.AF_UNIX)
        connect(connection, path)
        self.stream = connection.makefile("rw")

    def ask(self, line):
        self.stream.write(line + "\n")
        self.stream.flush()
        answer = self.stream.readline().split()
        assert answer and answer[0] == "OK", "%s: %s" % (line, answer)
        return int(answer[1], 0) if len(answer) > 1 else None

    def config(self, register, value=None):
        self.ask("outl 0xcf8 %#x" % (0x80000000 | SLOT << 11 | register))
        return self.ask("inl 0xcfc" if value is None else "outl 0xcfc %#x" % value)


def rogue_write(outside, target):
    """edu writes a word of its buffer, which is 0, to target: what was there before and after."""
    assert outside.config(0) == 0x11E81234
    registers = outside.config(0x10) & ~0xF
    outside.config(4, 6)        # memory, bus master
    before = outside.ask("readl %#x" % target)
    for register, value in ((EDU_SOURCE, EDU_BUFFER), (EDU_TARGET, target), (EDU_COUNT, 4),
                            (EDU_COMMAND, EDU_FROM_BUFFER)):
        outside.ask("writeq %#x %#x" % (registers + register, value))
    deadline = time.monotonic() + PATIENCE * SLOW    # its work takes 100 ms of the machine's time
    while outside.ask("readq %#x" % (registers + EDU_COMMAND)) & 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not outside.ask("readq %#x" % (registers + EDU_COMMAND)) & 1, "edu does not finish"
    return before, outside.ask("readl %#x" % target)


def machine(boot, tmp_path, *devices):
    path = tmp_path / "qtest"
    args = ["-qtest", "unix:%s,server=on,wait=off" % path, "-qtest-log", "/dev/null"]
    for device in devices + ("edu,addr=%d" % SLOT,):
        args += ["-device", device]
    return boot(arch="x86_64", options="console=com1 loglvl=all", memory=512, qemu_args=args), path


@pytest.mark.parametrize("target", [UNUSED, TEXT], ids=["unused", "text"])
def test_a_device_that_nobody_has_reaches_nothing(boot, tmp_path, target):
    run, path = machine(boot, tmp_path, "amd-iommu")
    run.expect(r"IOMMU: AMD-Vi: (\d+) devices, all blocked")
    assert int(run.child.match.group(1)) >= 5
    run.expect(r"CPUs: 2")
    outside = Outside(path)
    if target == UNUSED:
        outside.ask("writel %#x %#x" % (target, MARK))
    before, after = rogue_write(outside, target)
    assert before == after != 0
    # Pins of the IO-APIC go through the IOMMU as well: the console's input works.
    run.send("m")
    run.expect(r"memory: \d+ KiB, free", timeout=10)


def test_without_an_iommu_that_is_said_and_true(boot, tmp_path):
    """The counterpart, without which the test above could not fail."""
    run, path = machine(boot, tmp_path)
    run.expect(r"IOMMU: none that works: no domain is given any of \d+ devices")
    run.expect(r"CPUs: 2")
    outside = Outside(path)
    outside.ask("writel %#x %#x" % (UNUSED, MARK))
    assert rogue_write(outside, UNUSED) == (MARK, 0)


PAGE = 0x8000000        # a page of dom0's that its kernel leaves alone, by its own number
FOREIGN = 0x30000000    # machine memory beyond all that dom0 has


def edu_transfer(outside, command, source, target, count=8):
    """One transfer of edu's. Buses and memory are on, whatever dom0 has set."""
    registers = outside.config(0x10) & ~0xF
    outside.config(4, 6)
    for register, value in ((EDU_SOURCE, source), (EDU_TARGET, target), (EDU_COUNT, count), (EDU_COMMAND, command)):
        outside.ask("writeq %#x %#x" % (registers + register, value))
    deadline = time.monotonic() + PATIENCE * SLOW
    while outside.ask("readq %#x" % (registers + EDU_COMMAND)) & 1:
        assert time.monotonic() < deadline, "edu does not finish"
        time.sleep(0.05)


def test_a_device_of_dom0_reaches_dom0_and_nothing_else(boot, tmp_path):
    """What edu moves within dom0's memory arrives; what it tries beyond does not."""
    path = tmp_path / "qtest"
    run = boot(arch="x86_64", options="console=com1 loglvl=all guest_loglvl=all dom0_mem=256M", memory=1024,
               dom0=Kernel("vmlinux", "quiet memmap=64K$%#x" % PAGE),
               qemu_args=["-qtest", "unix:%s,server=on,wait=off" % path, "-qtest-log", "/dev/null",
                          "-device", "edu,addr=%d,dma_mask=0xffffffff" % SLOT])
    run.expect_guest("dom0", 180)
    outside = Outside(path)
    peek = lambda at: int(run.shell("devmem %#x 64" % at)[1], 0)

    # Its numbers are dom0's: the word arrives, and the machine's memory of that number stays as it was.
    run.shell("devmem %#x 64 %#x; devmem %#x 64 0" % (PAGE, DOM0_WORD, PAGE + 0x1000))
    outside.ask("writeq %#x %#x" % (PAGE + 0x1000, MARK))
    edu_transfer(outside, EDU_TO_BUFFER, PAGE, EDU_BUFFER)
    edu_transfer(outside, EDU_FROM_BUFFER, EDU_BUFFER, PAGE + 0x1000)
    assert peek(PAGE + 0x1000) == DOM0_WORD
    assert outside.ask("readq %#x" % (PAGE + 0x1000)) == MARK

    # Neither can it write what is not dom0's...
    outside.ask("writeq %#x %#x" % (FOREIGN, MARK))
    edu_transfer(outside, EDU_FROM_BUFFER, EDU_BUFFER, FOREIGN)
    assert outside.ask("readq %#x" % FOREIGN) == MARK
    # ... nor read it.
    edu_transfer(outside, EDU_TO_BUFFER, FOREIGN, EDU_BUFFER)
    edu_transfer(outside, EDU_FROM_BUFFER, EDU_BUFFER, PAGE + 0x1008)
    assert peek(PAGE + 0x1008) != MARK
    # The IOMMU's own registers are in no device's reach, and no CPU's of dom0: an empty bus.
    assert peek(IOMMU_REGISTERS + 0x18) == 2**64 - 1
    assert outside.ask("readq %#x" % (IOMMU_REGISTERS + 0x18)) & 1
    assert "00:02.0" not in run.shell("ls /sys/bus/pci/devices")[1]


@pytest.mark.full
def test_nvme_and_virtio_of_dom0(boot, tmp_path):
    """Devices with MSI-X tables: read, written, led to other CPUs, reset, taken out and found again."""
    half = 8 << 20
    args, disks = [], {}
    for name, device in (("nvme0n1", "nvme,serial=1"), ("vda", "virtio-blk-pci,iommu_platform=on,disable-legacy=on")):
        disks[name] = tmp_path / name
        disks[name].write_bytes(random.Random(name).randbytes(2 * half))
        args += ["-drive", "file=%s,format=raw,if=none,id=%s" % (disks[name], name),
                 "-device", "%s,drive=%s%s" % (device, name, ",addr=6" if name == "nvme0n1" else "")]
    args += ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,iommu_platform=on,disable-legacy=on"]
    run = boot(arch="x86_64", options="console=com1 guest_loglvl=all dom0_mem=384M", memory=1024, qemu_args=args,
               dom0=Kernel("vmlinux", "quiet kmods=nvme,virtio_pci,virtio_blk,virtio_net", "machine"))
    run.expect_guest("dom0", 240)

    def sums(first):
        text = run.shell("echo 3 >/proc/sys/vm/drop_caches; for d in %s; do dd if=/dev/$d bs=1M skip=%d count=8 "
                         "2>/dev/null | md5sum; done" % (" ".join(disks), 0 if first else 8), 200)[1]
        return re.findall(r"[0-9a-f]{32}", text)

    want = [hashlib.md5(path.read_bytes()[:half]).hexdigest() for path in disks.values()]
    assert sums(True) == want
    status, text = run.shell("for d in %s; do dd if=/dev/$d of=/dev/$d bs=1M count=8 seek=8 conv=notrunc 2>&1 & done; "
                             "wait; sync" % " ".join(disks), 200)
    assert status == 0 and sums(False) == want, text
    for path in disks.values():
        data = path.read_bytes()
        assert data[:half] == data[half:]
    # To the other CPU and back, while they are in use.
    run.shell("for i in 1 2 1 2; do for f in /proc/irq/*/smp_affinity; do echo $i >$f; done 2>/dev/null; "
              "dd if=/dev/vda of=/dev/null bs=1M count=2 2>/dev/null; done", 100)
    assert sums(True) == want
    status, text = run.shell("ifconfig eth0 10.0.2.15; ping -c 3 -W 10 10.0.2.2", 60)
    assert status == 0, text
    # Out of dom0's kernel, which gives it back, and in again.
    text = run.shell("cd /sys/bus/pci; echo 1 >devices/0000:00:06.0/remove; ls devices; echo 1 >rescan; ls devices", 60)[1]
    assert text.count("00:06.0") == 1, text
    run.shell("for i in $(seq 60); do [ -b /dev/nvme0n1 ] && break; sleep 1; done", 100)
    assert sums(True) == want
    assert not re.search(r"timeout, |NETDEV WATCHDOG|nobody cared|Call Trace|Failed to add|AMD-Vi \d", run.text())


def test_a_broken_ivrs_is_named_and_not_used(boot, tmp_path):
    """A table of ours (QEMU adds it to the others) whose unit's block is longer than the table."""
    body = struct.pack("<IQ", 0x00280000, 0) + struct.pack("<BBHHHQ", 0x10, 0, 0x400, 0x10, 0x40, 0xFED80000)
    header = struct.pack("<4sIBB6s8sI4sI", b"IVRS", 36 + len(body), 2, 0, b"TEST  ", b"TEST    ", 1, b"TEST", 1)
    table = bytearray(header + body)
    table[9] = -sum(table) & 0xFF
    file = tmp_path / "ivrs"
    file.write_bytes(bytes(table))
    run = boot(arch="x86_64", options="console=com1 loglvl=all", memory=512,
               qemu_args=["-acpitable", "file=%s" % file])
    run.expect(r"ACPI: IVRS: the block at byte 48 has length 1024")
    run.expect(r"IOMMU: none that works")
    run.expect(r"CPUs: 2")
