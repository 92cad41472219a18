# SPDX-License-Identifier: Apache-2.0
"""What a boot loader or an author of a description can get wrong.

Each costs one line that names the node and the reason; that domain is not started, and the rest
boots: here a good domain, and dom0, beside the bad one.
"""
import re
import struct
import time

import pexpect
import pytest

import fdt
from machine import MIB, Domain, Kernel, Machine
from guests import ARM_CRASHES


def module_of(domain, kind):
    """The module node of a kind below a domain's."""
    return next(n for n in domain.children if ("multiboot," + kind).encode() in n.properties["compatible"])


def set_property(key, value):
    return lambda domain: domain.set(key, value)


def remove(key):
    return lambda domain: domain.properties.pop(key)


def no_kernel(domain):
    domain.children.remove(module_of(domain, "kernel"))


def truncated_kernel(domain):
    node = module_of(domain, "kernel")
    address, _ = struct.unpack(">2Q", node.properties["reg"])
    node.set("reg", fdt.u64(address, 32))


def kernel_is_no_kernel(domain):
    kernel, ramdisk = module_of(domain, "kernel"), module_of(domain, "ramdisk")
    kernel.set("reg", ramdisk.properties["reg"])
    domain.children.remove(ramdisk)


def overlapping_modules(domain):
    address, size = struct.unpack(">2Q", module_of(domain, "kernel").properties["reg"])
    module_of(domain, "ramdisk").set("reg", fdt.u64(address + size - 4096, 8192))


def module_outside_memory(domain):
    module_of(domain, "kernel").set("reg", fdt.u64(0x900000000, 32 * MIB))


def module_wraps(domain):
    module_of(domain, "kernel").set("reg", fdt.u64((1 << 64) - MIB, 32 * MIB))


def module_reg_short(domain):
    module_of(domain, "kernel").set("reg", fdt.cells(0))


# name, what to change, what the line must say beside the node's path
BAD = [
    ("no-kernel", no_kernel, r"kernel"),
    ("truncated-kernel", truncated_kernel, r"kernel|module|image"),
    ("not-a-kernel", kernel_is_no_kernel, r"kernel|module|image"),
    ("overlapping-modules", overlapping_modules, r"overlap"),
    ("module-outside-memory", module_outside_memory, r"memory"),
    ("module-wraps", module_wraps, r"module|reg"),
    ("module-reg-short", module_reg_short, r"reg|size"),
    ("too-much-memory", set_property("memory", fdt.u64(64 << 20)), r"memory"),
    ("no-memory", remove("memory"), r"memory"),
    ("zero-memory", set_property("memory", fdt.u64(0)), r"memory"),
    ("memory-overflows", set_property("memory", fdt.u64((1 << 64) - 1)), r"memory"),
    ("memory-wrong-size", set_property("memory", b"\0\1"), r"memory"),
    ("no-cpus", remove("cpus"), r"cpus"),
    ("zero-cpus", set_property("cpus", 0), r"cpus"),
    ("too-many-cpus", set_property("cpus", 1000000), r"cpus"),
    ("cpus-wrong-size", set_property("cpus", b"\1"), r"cpus"),
    ("unknown-enhanced", set_property("xen,enhanced", "perhaps"), r"enhanced"),
    ("static-memory-wrong-size", set_property("xen,static-mem", b"\0\0\0"), r"static"),
    ("static-memory-nowhere", set_property("xen,static-mem", fdt.u64(0x900000000, 128 * MIB)),
     r"static|memory"),
]


@pytest.fixture(scope="module")
def bad_machine(tmp_path_factory):
    """One machine with each of the bad domains, dom0 and a good one; up."""
    directory = tmp_path_factory.mktemp("bad")
    kernel, ramdisk = directory / "kernel", directory / "ramdisk"
    kernel.write_bytes(ARM_CRASHES)     # were it started, its crash would be seen
    ramdisk.write_bytes(bytes(4096))

    def change(root):
        for name, damage, _ in BAD:
            damage(root.find("chosen/" + name))

    domains = [Domain(name, kernel, initrd=ramdisk, memory=32) for name, _, _ in BAD]
    machine = Machine("krypton", options="dom0_mem=256M", dom0=Kernel("cloud"), tree=change,
                      domains=domains + [Domain("good")])
    with machine.boot("bad-domains") as run:
        run.expect_guests("dom0", "good")
        yield run


@pytest.mark.parametrize("name,says", [(b[0], b[2]) for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_domain_is_named_and_not_started(bad_machine, name, says):
    """A line has the node's path and the reason; and the rest has booted."""
    lines = [line for line in bad_machine.text().splitlines()
             if re.search(r"/chosen/%s\b(?!-)" % name, line)]
    assert lines, "nothing is said of /chosen/" + name
    assert any(re.search(says, line.split("/chosen/" + name, 1)[1], re.I) for line in lines), lines
    assert not re.search(r"\b%s(?!-)\b[^\n]*crash" % name, bad_machine.text())


def test_two_domains_want_the_same_static_memory(boot):
    """The second in order is refused; nodes and reason are named."""
    def change(root):
        for name in ("one", "two"):
            root.find("chosen/" + name).set("xen,static-mem", fdt.u64(0x60000000, 128 * MIB))

    run = boot(options="dom0_mem=256M", dom0=Kernel("cloud"), tree=change,
               domains=[Domain("one"), Domain("two")])
    run.expect_guests("dom0", "one")
    assert any("/chosen/two" in line and "static" in line for line in run.text().splitlines())


# ---- the machine itself ------------------------------------------------------------------------

def without(compatible):
    """Take out the nodes with a `compatible`."""
    def change(root):
        for node in list(root.walk()):
            node.children = [c for c in node.children
                             if compatible.encode() not in c.properties.get("compatible", b"")]
    return change


@pytest.mark.parametrize("compatible,says", [("arm,gic-v3", "interrupt controller|gic"),
                                             ("arm,armv8-timer", "timer"),
                                             ("arm,psci", "psci")])
def test_a_machine_without_a_part_says_so(boot, compatible, says):
    run = boot(options="dom0_mem=256M noreboot", dom0=Kernel("cloud"), tree=without(compatible),
               direct=True)
    run.expect(r"(?i)\(KR\)[^\n]*(?:%s)[^\n]*\n" % says, 30)


def test_what_cannot_go_on_resets_the_machine(boot):
    """Unless `noreboot` says otherwise, as above."""
    run = boot(options="dom0_mem=256M", dom0=Kernel("cloud"), tree=without("arm,gic-v3"), direct=True)
    assert run.expect_end() == 0
    assert "GICv3" in run.text()


def test_a_wrong_exception_level_says_so(boot):
    """Entered at EL1: nothing of it can work, but the console of the device tree is told."""
    run = boot(options="dom0_mem=256M", dom0=Kernel("cloud"), machine="virtualization=off")
    run.expect(r"entered at exception level EL1; it must be entered at EL2[^\n]*\n", 30)


def test_memory_without_size_is_refused(boot):
    def change(root):
        for node in root.children:
            if node.name.startswith("memory"):
                node.set("reg", fdt.cells(0))

    run = boot(options="noreboot", dom0=Kernel("cloud"), tree=change, direct=True)
    run.expect(r"(?i)memory[^\n]*\n", 30)


def header_field(offset, value):
    return lambda blob: blob[:offset] + struct.pack(">I", value) + blob[offset + 4:]


def last_token(value):
    """The token that should end the structure block."""
    def change(blob):
        start, size = struct.unpack_from(">I", blob, 8)[0], struct.unpack_from(">I", blob, 36)[0]
        return header_field(start + size - 4, value)(blob)
    return change


DAMAGE = {"magic": header_field(0, 0), "total-size": header_field(4, 0x7FFFFFFF), "structure-offset": header_field(8, 0xFFFFFFF0),
          "strings-offset": header_field(12, 0x7FFFFFF0), "token": last_token(7), "no-end": last_token(fdt.BEGIN)}


def test_a_broken_device_tree_stops_the_boot(boot):
    """What names the console is broken too, so that nothing may be said; but nothing is started. All of them at once, so as to wait once."""
    runs = {name: boot(options="noreboot", dom0=Kernel("cloud"), dtb_bytes=damage) for name, damage in DAMAGE.items()}
    time.sleep(6)
    for name, run in runs.items():
        assert run.qmp("query-status")["running"], name
        run.child.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=0.1)      # so that what was printed is in the log
        text = run.text()
        assert "Booting Linux" not in text and "CPUs:" not in text, name
        assert not text or "device tree" in text, name
