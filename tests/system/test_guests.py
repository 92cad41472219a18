# SPDX-License-Identifier: Apache-2.0
"""The one-page guests of tests/guest: each boots as a boot-time domain and gives a verdict.

A guest prints `GUEST-TEST PASS` or `GUEST-TEST FAIL: why` on its console and stops. Its folder may
hold a machine.json: {"cpus": vCPUs, "memory": MiB, "domains": how many of it, "options": for the
hypervisor, "host_cpus": CPUs, "dom0": true when a dom0 must run beside it, "says": a regular
expression that the hypervisor must print besides, or one for each architecture, "with": names of
others that have no boot of their own but run beside it, each with its vCPUs and memory}.
"""
import json
import pathlib
import re

import pytest

from machine import BUILD, Domain, Kernel

GUESTS = pathlib.Path(__file__).resolve().parents[1] / "guest"


def listed():
    """(architecture, name) as build.mk has them; a folder that it does not list is one that nobody runs."""
    text = (GUESTS / "build.mk").read_text().replace("\\\n", " ")
    found = []
    for variable, names in re.findall(r"^(guest-tests\S*) \+= (.*)$", text, re.M):
        for arch in ["arm64", "x86_64"] if variable == "guest-tests" else [variable[len("guest-tests-"):]]:
            found += [(arch, name) for name in names.split()]
    folders = {p.name for p in GUESTS.glob("*") if p.name != "common" and list(p.glob("*.[cS]"))}
    assert folders == {name for _, name in found}, folders ^ {name for _, name in found}
    beside = {(arch, other) for arch, name in found for other in wanted(name).get("with", [])}
    return sorted(set(found) - beside)


def wanted(name):
    """What the test's machine.json says."""
    file = GUESTS / name / "machine.json"
    return json.loads(file.read_text()) if file.exists() else {}


def domain(arch, name, called):
    image = BUILD / arch / "guest" / (name + ".img")
    assert image.exists(), "%s is not built: make guests" % image
    want = wanted(name)
    return Domain(called, image, memory=want.get("memory", 32), cpus=want.get("cpus", 1))


@pytest.mark.parametrize("arch,name", listed())
def test_guest(boot, arch, name):
    want = wanted(name)
    names = [name] * want.get("domains", 1) + want.get("with", [])
    domains = [domain(arch, n, "test%d" % i if i else "test") for i, n in enumerate(names)]
    options = want.get("options", "dom0_mem=256M" if want.get("dom0") else "")
    run = boot(arch=arch, options=("console=com1 " if arch == "x86_64" else "") + options,
               cpus=want.get("host_cpus", 2), domains=domains,
               dom0=Kernel("cloud") if want.get("dom0") else None)
    for _ in domains:
        match = run.expect(r"GUEST-TEST (PASS|FAIL[^\r\n]*)\r*\n", 60)
        assert match.group(1) == b"PASS", match.group(1).decode()
    if "says" in want:
        run.expect_text(want["says"] if isinstance(want["says"], str) else want["says"][arch])
    if want.get("dom0"):
        run.expect_guest("dom0")
