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


def main(programs):
    guild.require_mounts()
    for test in (test_measures, test_says_what_fails):
        with tempfile.TemporaryDirectory(prefix="guildfs-bench-smoke-", dir="/var/tmp") as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            before = pathlib.Path("/proc/self/mountinfo").read_text()
            test(pathlib.Path(programs), folder)
            left = [each.name for each in folder.iterdir() if each.name.startswith("guildfs-bench-")]
            guild.equal(left, [], "what is left behind")
            guild.equal(pathlib.Path("/proc/self/mountinfo").read_text(), before, "mounts")
        print(f"ok   {test.__name__}")


if __name__ == "__main__":
    main(sys.argv[1])
