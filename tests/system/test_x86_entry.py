# SPDX-License-Identifier: Apache-2.0
"""The ways into Krypton on a PC beside QEMU's own multiboot loader: GRUB by multiboot2, and PVH."""
import re
import struct
import subprocess

import pytest

from machine import BUILD, CACHE, Domain, Machine


class Entered(Machine):
    """A machine whose QEMU command line is changed at the end."""

    def __init__(self, change, **description):
        super().__init__("krypton", arch="x86_64", **description)
        self.change = change

    def command(self, directory, interactive=False):
        return self.change(super().command(directory, interactive), directory)


def without(command, *options):
    """The command line less these options with their values."""
    out = list(command)
    for option in options:
        at = out.index(option)
        del out[at:at + 2]
    return out


def value(command, option):
    return command[command.index(option) + 1]


def start(request, change, **description):
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    return Entered(change, **description).boot(name)


# ---- GRUB --------------------------------------------------------------------------------------------

def iso(command, directory, protocol):
    """What QEMU would load becomes a bootable image with GRUB on it."""
    folder = directory / "iso"
    (folder / "boot/grub").mkdir(parents=True, exist_ok=True)
    modules = value(command, "-initrd").split(",")
    lines = ["set timeout=0", "terminal_output serial console", "serial --unit=0", "menuentry krypton {",
             "%s /boot/krypton %s" % (protocol, value(command, "-append"))]
    (folder / "boot/krypton").write_bytes((BUILD / "krypton-x86_64").read_bytes())
    for number, path in enumerate(modules):
        name = "module%d" % number
        (folder / "boot" / name).write_bytes(open(path, "rb").read())
        lines.append("%s /boot/%s" % (protocol.replace("multiboot", "module"), name))
    (folder / "boot/grub/grub.cfg").write_text("\n".join(lines + ["boot", "}"]) + "\n")
    subprocess.run(["grub-mkrescue", "-o", directory / "krypton.iso", folder], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return without(command, "-kernel", "-append", "-initrd") + [
        "-drive", "file=%s,format=raw,media=cdrom,readonly=on" % (directory / "krypton.iso"), "-boot", "d"]


@pytest.mark.parametrize("protocol", ["multiboot2", "multiboot"])
def test_grub(request, protocol):
    """Domains boot from its modules; the ACPI tables are found by what it passes, or by looking. One machine has no HPET."""
    hpet = protocol == "multiboot2"
    with start(request, lambda c, d: iso(c, d, protocol), options="console=com1", cpus=2, machine="" if hpet else "hpet=off",
               domains=[Domain("one", args="quiet", cpus=2)]) as run:
        run.expect_guest("one", 120)
        assert "no ACPI tables" not in run.text()
        assert re.search(r"CPUs: 2", run.text())
        measured_by(run, "HPET" if hpet else "PM timer")


def measured_by(run, clock):
    """The CPU's clocks were measured by this one, and rightly: the local APIC's timer of the emulator runs at 1 GHz."""
    mhz, name = re.search(r"APIC timer ([\d.]+) MHz, measured by the ([^\r\n]+)", run.text()).groups()
    assert name == clock and 950 < float(mhz) < 1050


# ---- PVH ---------------------------------------------------------------------------------------------

MB1_MAGIC = struct.pack("<I", 0x1BADB002)


def pvh(command, directory):
    """QEMU tries multiboot first: in a copy without its magic number only the PVH note is left."""
    image_file = (BUILD / "krypton-x86_64").read_bytes()
    at = image_file.index(MB1_MAGIC)
    assert at % 4 == 0 and image_file.count(MB1_MAGIC, 0, 0x4000) >= 1
    (directory / "pvh").write_bytes(image_file[:at] + bytes(4) + image_file[at + 4:])
    kernel = CACHE / "x86_64/cloud/vmlinuz"
    out = without(command, "-kernel", "-initrd")
    return out + ["-kernel", str(directory / "pvh"), "-initrd", str(kernel)]


def test_pvh(request):
    """One module is all that QEMU passes this way: it is taken for dom0's kernel, which is refused without an IOMMU."""
    with start(request, pvh, options="console=com1", cpus=8) as run:
        run.expect(r"dom0[^\r\n]*IOMMU[^\r\n]*\r*\n", 60)
        assert "no ACPI tables" not in run.text()
        assert re.search(r"CPUs: 8", run.text())


# ---- machines that will not do --------------------------------------------------------------------------

@pytest.mark.parametrize("cpu,says", [
    ("EPYC,-svm,-monitor", r"no AMD-V \(SVM\), which"), ("EPYC,+svm,-npt,-monitor", "no nested paging"),
    ("EPYC,-lm", "64-bit CPU: this one has no long mode"), ("EPYC,-nx", r"execute-disable \(NX\): this one has none"), ("EPYC,+svm,+npt,-monitor,-apic", "no local APIC")],
                         ids=["svm", "npt", "long-mode", "nx", "apic"])
def test_what_the_machine_lacks_is_named(boot, cpu, says):
    run = boot(arch="x86_64", cpu=cpu, options="console=com1 noreboot", domains=[Domain("one")])
    run.expect(says, 30)
