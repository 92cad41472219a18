# SPDX-License-Identifier: Apache-2.0
"""The Debian guest of images/debian under kr, on dom0's disk and from ./run's own configuration file."""
import machine as machines
import pytest

from dom0 import Dom0

SYSTEMD = 900       # seconds for all of its start, on an emulated machine


@pytest.mark.full
@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_debian_boots_and_shuts_down(arch, tmp_path):
    folder = machines.debian(arch)
    if not (folder / "disk").exists():
        pytest.skip("no %s: images/debian %s makes it, on a host that runs its programs" % (folder, arch))
    machines.made(*(machines.BUILD / "tools" / arch / name for name in machines.RUN_PROGRAMS))
    machines.run_root(arch, tmp_path / "root")
    with Dom0("krypton", "debian-" + arch, arch=arch, store="kr-stored --pid-file /run/kr-stored.pid",
              extra=str(tmp_path / "root"), disk=folder / "disk",
              qemu_args=["-snapshot"]) as dom0:     # nothing is kept
        dom0.ok("kr-supervisor; modprobe -a %s; until_true 30 [ -b %s ]" % (" ".join(machines.DISK_MODULES[arch]), machines.DISK[arch]), 60)
        # What is expected is never in what is typed, which the guest repeats.
        assert dom0.terminal("kr create /debian12.cfg --console", [
            ("", "debian12 is domain"),
            ("", "root@debian:~#"),
            ("echo $(cat /sys/hypervisor/type /etc/debian_version)\r", "xen 12."),
            ("echo failed=$(systemctl is-system-running --wait >/dev/null; systemctl --failed --no-legend | wc -l)\r", "failed=0\r"),
            ("echo $(findmnt -no SOURCE,FSTYPE,OPTIONS /)\r", "/dev/xvda ext4 rw"),
            ("for i in $(seq 60); do ping -c 1 10.0.0.1 && break; sleep 1; done\r", "1 received"),
            ("echo >/root/written; sync; echo $?=status\r", "0=status"),
            ("\x1d", ""),
        ], SYSTEMD) == 0
        # Its own systemd does it, and the supervisor clears away what is left.
        dom0.ok("kr shutdown debian12; until_true 300 gone debian12", 330)
        assert "The system will power off now!" in dom0.ok("cat $(log_of debian12)")
