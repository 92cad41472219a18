# SPDX-License-Identifier: Apache-2.0
"""What the system tests see of a machine's console: lines that somebody else's line has broken are there in one piece as well."""
import pathlib
import sys

import pexpect
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import machine  # noqa: E402

END, CUT = r"\r\r\n", r"\r\n"   # as printed; the terminal in between adds one \r


def shown(text):
    """What comes of this text, character by character and all at once."""
    results = set()
    for size in (1, 4096):
        child = machine.Terminal("sh", ["-c", "printf '%s'" % text], timeout=60, maxread=size)
        child.expect(pexpect.EOF)
        results.add(child.before.replace(b"\r", b"").decode())
        child.close()
    assert len(results) == 1
    return results.pop()


@pytest.mark.parametrize("text,lines", [
    # Whole lines of everybody.
    ("*** Input to d0" + CUT + "(d0) a" + END + "(d1) b" + CUT + "(KR) c" + CUT + "(d0) d" + END, ["(d0) a", "(d1) b", "(KR) c", "(d0) d"]),
    # One of the owner's, broken once, and twice.
    ("*** Input to d0" + CUT + "(d0) one" + CUT + "(KR) c" + CUT + "(d0) two" + END, ["(d0) one", "(KR) c", "(d0) two", "(d0) onetwo"]),
    ("*** Input to d0" + CUT + "(d0) 1" + CUT + "(d1) c" + CUT + "(d0) 2" + CUT + "(KR) d" + CUT + "(d0) 3" + END,
     ["(d0) 1", "(d1) c", "(d0) 2", "(KR) d", "(d0) 3", "(d0) 123"]),
    # Empty ones, and one that was broken before its end.
    ("*** Input to d0" + CUT + "(d0) " + CUT + "(d0) a" + END, ["(d0) ", "(d0) a"]),
    ("*** Input to d0" + CUT + "(d0) one" + CUT + "(KR) c" + CUT + "(d0) " + CUT + "(d0) a" + END, ["(d0) one", "(KR) c", "(d0) ", "(d0) one", "(d0) a"]),
    # Lines of a domain without the keyboard are never broken, and those of one that loses it are not continued.
    ("*** Input to d1" + CUT + "(d0) one" + CUT + "(d0) two" + CUT, ["(d0) one", "(d0) two"]),
    ("*** Input to d0" + CUT + "(d0) one" + CUT + "*** Input to d1" + CUT + "(d1) two" + END, ["(d0) one", "*** Input to d1", "(d1) two"]),
])
def test_broken_lines_are_repeated_whole(text, lines):
    assert shown(text).splitlines()[1:] == lines


@pytest.mark.parametrize("lines,repeated,whole", [
    (["one", "", "one"], ["one"], ["one"]),                     # broken before its end
    (["a", "o", "ne", "one", "b"], ["one"], ["a", "one", "b"]),
    (["one", "", "one"], [], ["one", "", "one"]),               # what a command prints that way
    (["one", "two"], ["three"], ["one", "two"]),                # broken before the command
])
def test_an_answer_has_broken_lines_once(lines, repeated, whole):
    assert machine.mended(lines, repeated) == whole
