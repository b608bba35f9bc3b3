#!/usr/bin/env python3
"""Runs the tour of README.md as it is written.

    tour.py README

In the section whose title ends with "tour", the blocks marked ```sh are run, in order and in one
shell. A block marked ```text that follows one is the output that it must have, standard error
included. The first command that fails, or the first output that differs, is a failure: what is
refused in the tour on purpose is written there so that the shell goes on (|| true).

The tour uses /srv and /mnt. Here these are folders of this test, in a mount namespace of its own.
"""

import difflib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import calls
import guild

LIMIT_S = 100
MARK = "---- end of block"


def blocks(readme):
    """[(line number, commands, wanted output or None)] of the tour."""
    section = re.search(r"^## [^\n]*tour$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    if not section:
        sys.exit("FAIL: no section whose title ends with \"tour\"")
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL):
        kind, text = match.groups()
        line = readme.count("\n", 0, section.start(1) + match.start()) + 1
        if kind == "sh":
            found.append((line, text, None))
        elif kind == "text" and found and found[-1][2] is None:
            found[-1] = (*found[-1][:2], text)
        else:
            sys.exit(f"FAIL: line {line}: a block ```{kind} that is neither sh nor the output of one")
    if not found:
        sys.exit("FAIL: the tour has no commands")
    return found


def own_folders(directory):
    for place in ("/srv", "/mnt"):
        if os.path.isdir(place):
            mine = directory / place[1:]
            mine.mkdir()
            mine.chmod(0o755)
            calls.mount(str(mine), place, None, calls.MS_BIND)
        else:
            os.mkdir(place)


def end_daemons():
    """Those that the tour left in this mount namespace, when it did not come to its end."""
    here = os.readlink("/proc/self/ns/mnt")
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns/mnt") == here and \
                    (entry / "comm").read_text().strip() == "guildfsd":
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            pass
    with open("/proc/self/mountinfo") as table:
        left = [line.split()[4] for line in table if " fuse.guildfs " in line]
    for mountpoint in left:
        calls.umount2(mountpoint, calls.MNT_DETACH)


def run(tour, directory):
    """(exit status, [output of each block that was begun])."""
    script = "set -eu\n" + "".join(f"{commands}\necho '{MARK}'\n" for _, commands, _ in tour)
    path = f"{pathlib.Path(guild.GUILDFS).parent}:{pathlib.Path(guild.GUILDFSD).parent}:{os.environ['PATH']}"
    with open(directory / "output", "w+b") as output:
        status = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                cwd="/", timeout=LIMIT_S, env={"PATH": path, "HOME": "/root", "LC_ALL": "C"}).returncode
        output.seek(0)
        return status, output.read().decode(errors="replace").split(MARK + "\n")


def without_durations(text):
    """What took 3 ms when the text was written takes some other time now."""
    return re.sub(r"after \d+ ms$", "after N ms", text, flags=re.MULTILINE)


def check(tour, status, outputs):
    """Whether all is as the text says; prints what is not."""
    for (line, _, wanted), output in zip(tour, outputs):
        wanted, output = wanted and without_durations(wanted), without_durations(output)
        if wanted is not None and output != wanted:
            print(f"FAIL: line {line}: the output is not what the text says:")
            print("\n".join(difflib.unified_diff(wanted.splitlines(), output.splitlines(), "text", "run", lineterm="")))
            return False
    if status != 0:
        line, commands, _ = tour[min(len(outputs), len(tour)) - 1]
        print(f"FAIL: line {line}: a command ends with {status}:\n{commands}    it says:\n{outputs[-1]}")
        return False
    print(f"ok: {len(tour)} blocks")
    return True


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: tour.py README")
    tour = blocks(pathlib.Path(sys.argv[1]).read_text())
    guild.require_mounts()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="guildfs-tour-", dir="/var/tmp"))
    try:
        own_folders(directory)
        passed = check(tour, *run(tour, directory))
    finally:
        end_daemons()
        for place in ("/srv", "/mnt"):
            calls.umount2(place, calls.MNT_DETACH)
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
