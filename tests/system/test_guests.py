# SPDX-License-Identifier: Apache-2.0
"""The one-page guests of tests/guest: each boots as a boot-time domain and gives a verdict.

A guest prints `GUEST-TEST PASS` or `GUEST-TEST FAIL: why` on its console and stops. Its folder may
hold a machine.json: {"cpus": vCPUs, "memory": MiB, "domains": how many of it, "options": for the
hypervisor, "host_cpus": CPUs, "dom0": true when a dom0 must run beside it, "says": a regular
expression that the hypervisor must print besides}.
"""
import json
import pathlib

import pytest

from machine import BUILD, Domain, Kernel

GUESTS = pathlib.Path(__file__).resolve().parents[1] / "guest"


def names():
    return sorted(p.name for p in GUESTS.glob("*") if p.name != "common" and list(p.glob("*.[cS]")))


@pytest.mark.parametrize("name", names())
def test_guest(boot, name):
    image = BUILD / "arm64/guest" / (name + ".img")
    assert image.exists(), "%s is not built: make guests" % image
    file = GUESTS / name / "machine.json"
    want = json.loads(file.read_text()) if file.exists() else {}
    count = want.get("domains", 1)
    domains = [Domain("test%d" % i if i else "test", image, memory=want.get("memory", 32),
                      cpus=want.get("cpus", 1)) for i in range(count)]
    run = boot(options=want.get("options", "dom0_mem=256M" if want.get("dom0") else ""),
               cpus=want.get("host_cpus", 2), domains=domains,
               dom0=Kernel("cloud") if want.get("dom0") else None)
    for _ in range(count):
        match = run.expect(r"GUEST-TEST (PASS|FAIL[^\r\n]*)\r*\n", 60)
        assert match.group(1) == b"PASS", match.group(1).decode()
    if "says" in want:
        run.expect_text(want["says"])
    if want.get("dom0"):
        run.expect_guest("dom0")
