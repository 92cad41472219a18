# SPDX-License-Identifier: Apache-2.0
"""The systemd units: what systemd itself says of them. Nothing is started."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
UNITS = sorted((TOP / "tools/systemd").glob("*.service"))
MOST_EXPOSED = 40   # of 100, "OK"; a unit without sandboxing has 96

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="the host has no systemd-analyze")


def analyze(*args):
    run = subprocess.run(["systemd-analyze", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
    return run.returncode, run.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The units, of programs that the host has."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        text, n = re.subn(r"(?m)^ExecStart=/usr/sbin/kr-\S+", "ExecStart=/bin/true", unit.read_text())
        assert n == 1
        (folder / unit.name).write_text(text)
    return folder


def test_each_daemon_has_a_unit():
    assert [u.stem for u in UNITS] == ["kr-consoled", "kr-stored", "kr-supervisor"]


@needs_systemd
def test_systemd_understands_them(folder):
    status, text = analyze("verify", "--man=no", *(str(folder / u.name) for u in UNITS))
    assert status == 0 and not text, text


@needs_systemd
def test_a_mistake_would_be_found(folder):
    bad = folder / "bad.service"
    bad.write_text((folder / UNITS[0].name).read_text().replace("ProtectHome=yes", "ProtectHomes=yes"))
    assert "ProtectHomes" in analyze("verify", "--man=no", str(bad))[1]


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=[u.stem for u in UNITS])
def test_they_are_in_a_sandbox(folder, unit):
    status, text = analyze("security", "--offline=true", "--threshold=%d" % MOST_EXPOSED, str(folder / unit.name))
    assert status == 0, text.splitlines()[-1]
