"""What a run was made on. No names of machines, users or directories."""

import os
import pathlib
import platform
import re
import subprocess

import systems

ROOT = pathlib.Path(__file__).resolve().parents[2]


def first_line(*command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else None


def version(program):
    found = re.search(r"\d+(\.\d+)+", first_line(program, "--version") or "")
    return found.group(0) if found else None


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib():
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def libfuse(guildfsd):
    """The version of the library that the daemon is linked with, from the name of its file."""
    listed = subprocess.run(["ldd", guildfsd], capture_output=True, text=True).stdout
    path = re.search(r"libfuse3\S* => (\S+)", listed)
    found = re.search(r"(\d+\.\d+\.\d+)$", os.path.realpath(path.group(1))) if path else None
    return found.group(1) if found else "linked in"


def io_uring_possible():
    try:
        return pathlib.Path("/sys/module/fuse/parameters/enable_uring").read_text().strip() in ("Y", "1")
    except OSError:
        return False


def system_name():
    try:
        text = pathlib.Path("/etc/os-release").read_text()
    except OSError:
        return platform.system()
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.M)
    return found.group(1) if found else platform.system()


def describe(programs):
    """An ordered dictionary of what to say, None where it is not known."""
    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_gib()} GiB",
        "system": system_name(),
        "kernel": re.match(r"[\d.]+", platform.release()).group(0),
        "libfuse": libfuse(programs / "guildfsd"),
        "guildfs": version(programs / "guildfs"),
        "commit": first_line("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "bindfs": version("bindfs"), "mergerfs": version("mergerfs"), "fio": version("fio"),
        "hyperfine": version("hyperfine"), "git": version("git"),
        "options of bindfs": " ".join(systems.BINDFS_OPTIONS) or "none",
        "options of mergerfs": systems.MERGERFS_OPTIONS,
    }
