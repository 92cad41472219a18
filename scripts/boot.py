# SPDX-License-Identifier: Apache-2.0
"""
What ./run boots, on this terminal: a dom0 with kr, a disk and what a guest needs, on x86_64 with a network card, and beside it a
boot-time domain.
"""
import os
import sys

from machine import BUILD, DISK_MODULES, Domain, Kernel, Machine, debian, one_cpu, run_image

arch, options = sys.argv[1], sys.argv[2:]
x86 = arch == "x86_64"
kernel = "kernel" if x86 else "cloud"
image = run_image(arch, kernel)
disk = debian(arch) / "disk" if debian(arch).exists() else BUILD / "logs/run/disk"
disk.parent.mkdir(parents=True, exist_ok=True)
if not disk.exists():
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
machine = Machine("krypton", arch=arch, options=" ".join(["console=com1"] * x86 + ["dom0_mem=512M"] + options),
                  dom0=Kernel("vmlinux" if x86 else kernel, "quiet krun=/etc/run kmods=" + ",".join(DISK_MODULES[arch] + ["e1000e"] * x86), image),
                  domains=[Domain("guest", args="quiet", memory=192)], disk=disk, network=x86)
command = machine.command(BUILD / "logs" / "run", interactive=True)
print("Booting. Ctrl-a three times moves the keyboard to the next domain; Ctrl-\\ x leaves.", flush=True)
if x86:
    one_cpu()
os.execvp(command[0], command)
