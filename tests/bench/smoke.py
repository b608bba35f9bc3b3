#!/usr/bin/env python3
"""Usage: smoke.py DIRECTORY

A small run of the benchmark with the programs in a directory: native and both data modes, one round, the workloads
that need no other program than ours. Looks at what is reported, and that nothing is left behind."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import boot  # noqa: F401
import guild

BENCH = pathlib.Path(__file__).resolve().parent / "bench.py"
WORKLOADS = ["stat-warm", "list-cold", "open", "open-4", "create", "rename", "unlink"]


def run(programs, folder, *words):
    command = [sys.executable, "-B", BENCH, "--programs", programs, "--dir", folder, "--output", folder / "report",
               "--json", folder / "values.json", "--fs", "host", "--rounds", "1", "--quick", "--authorizations", "1000"]
    return subprocess.run([*command, *words], capture_output=True, text=True)


def test_measures(programs, folder):
    done = run(programs, folder, "--systems", "native,fast,revocable", "--only", ",".join(WORKLOADS))
    guild.equal(done.returncode, 0, f"exit status: {done.stdout}{done.stderr}")
    found = json.loads((folder / "values.json").read_text())["filesystems"]["host"]
    guild.equal(found["failures"], [], "failures")
    guild.equal(len(found["rounds"]), 1, "rounds")
    guild.equal(sorted(found["rounds"][0]), sorted(WORKLOADS), "workloads")
    for key, values in found["rounds"][0].items():
        guild.equal(sorted(values), ["fast", "native", "revocable"], key)
        guild.true(all(0 < value < 1e6 for value in values.values()), f"{key} takes a likely time: {values}")
    guild.true("| rename | ≤ 2.3 |" in (folder / "report/filesystem-host.md").read_text(), "the report has the goals")


def test_workload_knows_its_words(programs, folder):
    """Wrong ones end with 2, and what cannot be done with 1: neither gives a figure."""
    def status(words):
        done = subprocess.run([programs / "bench-workload", *words.split()], cwd=folder, capture_output=True, text=True)
        guild.equal(bool(done.stdout), done.returncode == 0, f"a figure for {words!r}")
        return done.returncode

    for words in ("", "stat", "stat 0 1", "stat 5x 1", "stat -1 1", "stat 1 1001", "read 1 1 65", "create",
                  "create 5 65537", "create 1 2 3", "sing 1 1"):
        guild.equal(status(words), 2, words)
    guild.equal([status("stat 3 1"), status("create 3"), status("create 3"), status("list 2 1"), status("list 3 1"),
                 status("read 3 2 2"), status("rename 3"), status("unlink 3")], [1, 0, 1, 1, 0, 0, 0, 0], "in order")


def test_says_what_fails(programs, folder):
    """A workload that fails on one system is reported, and the others are measured all the same."""
    broken = folder / "broken"
    broken.mkdir()
    for name in ("guildfs", "bench-store", "bench-workload"):
        os.symlink(programs / name, broken / name)
    os.symlink("/bin/false", broken / "guildfsd")
    done = run(broken, folder, "--systems", "native,fast", "--only", "stat-warm")
    guild.equal(done.returncode, 1, "exit status")
    found = json.loads((folder / "values.json").read_text())["filesystems"]["host"]
    guild.equal(sorted(found["rounds"][0]["stat-warm"]), ["native"], "measured")
    guild.equal(len(found["failures"]), 1, f"failures: {found['failures']}")


def processes_with(word):
    """Command lines that have it."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if word in line:
            found.append(line)
    return found


def main(programs):
    guild.require_mounts()
    for test in (test_workload_knows_its_words, test_measures, test_says_what_fails):
        with tempfile.TemporaryDirectory(prefix="guildfs-bench-smoke-", dir="/var/tmp") as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            test(pathlib.Path(programs), folder)
            left = [each.name for each in folder.iterdir() if each.name.startswith("guildfs-bench-")]
            guild.equal(left, [], "what is left behind")
            guild.equal(processes_with(name), [], "processes that are left behind")
        print(f"ok   {test.__name__}")


if __name__ == "__main__":
    main(sys.argv[1])
