# SPDX-License-Identifier: Apache-2.0
"""Sizes and instruction counts stay within bench/budgets."""
import subprocess
import sys

from conftest import TOP


def test_budgets():
    run = subprocess.run([sys.executable, str(TOP / "bench/budgets.py")], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, universal_newlines=True)
    assert run.returncode == 0, run.stdout
    print(run.stdout)
