# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels as dom0 and as boot-time domains."""
import itertools

import pytest

import fdt

from guests import CRASHES
from machine import BRIEF, Domain, Kernel


def alarm(run):
    """What a guest's /proc/interrupts says of its clock when an alarm of a second has rung; a slow guest may set one that is over."""
    status, text = run.shell("n() { grep -m1 rtc-pl031 /proc/interrupts; }; a=$(n); cd /sys/class/rtc/rtc0 && for i in 1 2 3 4 5; do "
                             "echo 0 >wakealarm; echo +1 >wakealarm; for j in $(seq 15); do usleep 200000; [ \"$(n)\" = \"$a\" ] || break 2; done; "
                             "done; n", 60)
    assert status == 0, text
    return [int(n) for n in itertools.takewhile(str.isdigit, text.split(":")[1].split())]


def check_guest(up, cpus, mib):
    """What a guest says of itself agrees with what it was given."""
    assert up["hypervisor"] == "xen"
    assert up["version"].startswith("4.17") and "krypton" in up["version"]
    assert int(up["cpus"]) == cpus
    # The kernel keeps some for itself: 3 % of page structures and its image.
    assert mib * 1024 * 0.75 - 40 * 1024 < int(up["mem"]) <= mib * 1024


@pytest.fixture(params=["arm64", "x86_64"])
def either(request, boot):
    """either(...): as boot(), once on each architecture. dom0: arguments of its kernel, None: no dom0."""
    arch, name = request.param, {"arm64": "cloud", "x86_64": "vmlinux"}[request.param]  # who can be dom0

    def start(dom0="", options="dom0_mem=384M", **description):
        if dom0 is not None:
            description["dom0"] = Kernel(name, "%s %s" % (BRIEF[arch], dom0))
        return boot(arch=arch, options=options + " console=com1" * (arch == "x86_64"), **description)

    start.arch = arch
    return start


# Kernel of dom0, of the domain, CPU model, CPUs, vCPUs of dom0, of the domain, and its console:
# every pair of values of two columns that differ by more than a number occurs; every value in the first four, which
# run without --full.
PAIRWISE = [
    ("cloud", "cloud", "cortex-a57", 2, 2, 1, "pv"),
    ("cloud", "kernel", "max", 1, 1, 2, "vpl011"),
    ("kernel", "cloud", "max", 4, 4, 4, "pv"),
    ("cloud", "kernel", "cortex-a57", 8, 4, 1, "pv"),
    ("kernel", "kernel", "cortex-a57", 1, 2, 3, "vpl011"),
    ("cloud", "cloud", "max", 8, 3, 2, "vpl011"),
    ("kernel", "kernel", "max", 2, 1, 4, "pv"),
    ("kernel", "cloud", "cortex-a57", 4, 1, 1, "vpl011"),
]


@pytest.mark.parametrize("dom0,domu,cpu,cpus,dom0_cpus,domu_cpus,console",
                         PAIRWISE[:4] + [pytest.param(*row, marks=pytest.mark.full) for row in PAIRWISE[4:]])
def test_dom0_and_a_boot_time_domain(boot, dom0, domu, cpu, cpus, dom0_cpus, domu_cpus, console):
    """Both reach their shell, on one console, and each says what it was given."""
    run = boot(cpu=cpu, cpus=cpus, options="dom0_mem=384M dom0_max_vcpus=%d" % dom0_cpus,
               dom0=Kernel(dom0),
               domains=[Domain("one", domu, memory=192, cpus=domu_cpus,
                               vpl011=console == "vpl011")])
    ups = run.expect_guests("dom0", "one", timeout=180)
    check_guest(ups["dom0"], dom0_cpus, 384)
    check_guest(ups["one"], domu_cpus, 192)
    status, text = run.shell("cat /proc/xen/capabilities || mount -t xenfs x /proc/xen && "
                             "cat /proc/xen/capabilities")
    assert status == 0 and "control_d" in text


def test_static_memory_is_the_domains_own(either):
    """xen,static-mem: the domain runs in the frames it names, before and after a reboot."""
    def tree(root):
        root.find("chosen/one").set("xen,static-mem", fdt.u64(0x60000000, 128 << 20))

    run = either(tree=tree,
               domains=[Domain("one", memory=128)])
    check_guest(run.expect_guests("dom0", "one", timeout=180)["one"], 1, 128)
    run.send("\x01\x01\x01")
    run.expect(r"(?i)input to d1\b")
    run.send("reboot -f\r")
    check_guest(run.expect_guests("one", timeout=180)["one"], 1, 128)


def test_boot_time_domains_have_devices_and_addresses_of_the_host(boot):
    """One is given the clock by a fragment of device tree, and its alarm rings there; the other one is where the host's
    memory is. Neither WFI nor WFE traps."""
    clock, place = 0x9010000, 0x70000000
    fragment = fdt.Node("", **{"#address-cells": 2, "#size-cells": 2})
    fragment.add(fdt.Node("gic", phandle=65000))
    bus = fragment.add(fdt.Node("passthrough", compatible="simple-bus", ranges=True,
                                **{"#address-cells": 2, "#size-cells": 2}))
    bus.add(fdt.Node("clk", compatible="fixed-clock", clock_frequency=24000000, phandle=1, **{"#clock-cells": 0}))
    bus.add(fdt.Node("rtc@9010000", compatible=fdt.strings("arm,pl031", "arm,primecell"), reg=fdt.u64(clock, 4096),
                     interrupt_parent=65000, interrupts=fdt.cells(0, 2, 4), clocks=1, clock_names="apb_pclk",
                     **{"xen,path": "/pl031@9010000", "xen,reg": fdt.u64(clock, 4096, clock),
                        "xen,force-assign-without-iommu": True}))
    blob = fdt.write(fragment)

    def tree(root):
        root.find("pl031@9010000").set("xen,passthrough", True)
        module = root.find("chosen/one").add(fdt.Node("module@%x" % place, reg=fdt.u64(place, len(blob))))
        module.set("compatible", fdt.strings("multiboot,device-tree", "multiboot,module"))
        root.find("chosen/two").set("xen,static-mem", fdt.u64(0x60000000, 128 << 20)).set("direct-map", True)

    run = boot(options="vwfi=native", tree=tree, raw={place: blob}, domains=[Domain("one"), Domain("two")])
    run.expect_guests("one", "two", timeout=180)
    assert alarm(run)[0] > 0
    run.send("\x01\x01\x01")
    run.expect(r"(?i)input to d2\b")
    status, text = run.shell("grep RAM /proc/iomem")
    assert status == 0 and text.split("-")[0].strip() == "60000000", text


def test_dom0_reboot_resets_the_machine(either):
    """QEMU runs with -no-reboot, so a reset ends it: after dom0's words, before a time-out."""
    run = either("krun=reboot,-f")
    run.expect("reboot: Restarting system", 180)
    assert run.expect_end(20) == 0


def test_domains_end_in_every_way_and_the_others_go_on(either, tmp_path):
    """One switches itself off, one crashes, one reboots and is built again. Ctrl-a three times moves the keyboard on and says to whom."""
    kernel = tmp_path / "crashes"
    kernel.write_bytes(CRASHES[either.arch])
    run = either(domains=[Domain("one", args="quiet"), Domain("two", args="quiet"), Domain("off", args="quiet krun=poweroff,-f"), Domain("bad", kernel)])
    run.expect_guests("dom0", "one", "two", timeout=240)
    run.expect_text("d3: off powered off", 180)
    run.expect_text(r"(?i)\bbad\b[^\n]*crash")

    def move(to):
        run.send("\x01\x01\x01")
        run.expect(r"(?i)input to %s\b" % to)

    assert run.shell("hostname")[1].strip() == "dom0"
    for domain, name in (("d1", "one"), ("d2", "two")):
        move(domain)
        assert run.shell("hostname")[1].strip() == name
    move("Krypton")
    move("d0")
    move("d1")
    run.line("reboot -f")
    assert run.expect_guest("one")["mem"]
    assert run.shell("true")[0] == 0


def test_dom0_balloons_and_powers_the_machine_off(either):
    """dom0 gives memory back and takes it again, by its own kernel's balloon driver; its power-off is the machine's."""
    run = either(options="dom0_mem=512M")
    run.expect_guest("dom0", 150)

    def target(kib):
        run.shell("echo %d >/sys/devices/system/xen_memory/xen_memory0/target_kb" % kib)
        status, _ = run.shell("for i in $(seq 60); do [ $(cat /sys/devices/system/xen_memory/"
                              "xen_memory0/info/current_kb) = %d ] && exit 0; sleep 1; done; "
                              "exit 1" % kib, 120)
        return status

    full = int(run.shell("cat /sys/devices/system/xen_memory/xen_memory0/info/current_kb")[1].split()[0])
    assert target(full - 65536) == 0
    assert target(full) == 0
    run.line("poweroff -f")
    assert run.expect_end() == 0


@pytest.mark.full
@pytest.mark.parametrize("turn", range(50))
def test_fifty_boots_in_a_row(either, turn):
    run = either(domains=[Domain("one")])
    run.expect_guests("dom0", "one", timeout=180)
    run.line("poweroff -f")
    assert run.expect_end() == 0


def test_a_hosts_interrupt_follows_the_guests_routing(boot):
    """dom0 moves the clock's interrupt to its other vCPU; the host's controller then routes it to that one's CPU."""
    run = boot(cpus=2, options="dom0_mem=256M dom0_max_vcpus=2 sched=null", dom0=Kernel("cloud", BRIEF["arm64"]))
    run.expect_guest("dom0")
    status, irq = run.shell("grep -m1 rtc-pl031 /proc/interrupts | cut -d: -f1 | tr -d ' '")
    assert status == 0 and irq.strip().isdigit(), irq

    def route():
        text = run.qmp("human-monitor-command", **{"command-line": "xp /1gx 0x%x" % (0x8006000 + 8 * 34)})
        return int(text.split(":")[1], 16)

    assert route() == 0
    before = alarm(run)
    status, text = run.shell("echo 2 >/proc/irq/%s/smp_affinity" % irq.strip())
    assert status == 0, text
    after = alarm(run)
    assert after[0] == before[0] and after[1] > before[1], (before, after)
    assert route() == 1


@pytest.mark.parametrize("cpu", ["cortex-a57", "max"])
def test_guests_run_behind_the_vectors_that_forget_branch_history(boot, cpu):
    """The emulator needs none of it; the option makes its CPUs take the longest way in."""
    run = boot(cpu=cpu, cpus=2, options="dom0_mem=256M bp-hardening=loop", dom0=Kernel("cloud"),
               domains=[Domain("one", memory=128, cpus=2)])
    run.expect_text("a loop of branches at each exit")
    run.expect_guests("dom0", "one", timeout=120)
