#!/usr/bin/env python3
"""How fast a right that is taken away is gone. Runs bench-revocation in every setting, and prints a table.

    revocation.py build/bench-revocation [--rounds N] [--kill-rounds N] [--items N,N] [--write docs/benchmarks/revocation.md]

--check fails when a goal is missed.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import guild  # noqa: E402

BEGIN, END = "<!-- the table of tests/bench/revocation.py -->\n", "<!-- end of the table -->\n"
WORDS = {"path": "path access", "read": "read on an open descriptor", "write": "write on an open descriptor",
         "folder": "listing an open folder", "mapping": "live mapping", "settled": "until the last of all is done",
         "killed": "SIGKILL of a holder"}
P99_GOALS = {"path": 10, "read": 20, "write": 20, "mapping": 50}
SETTLED_GOAL = 1000


def rounds_for(asked, items):
    """Giving back and listing 100,000 items takes seconds, each time."""
    return asked if items <= 1000 else max(3, asked // 50)


def prepare(g, items, mode, on_revoke):
    share = g.share(f"{mode}-{on_revoke}-{items}", alice="editor", bob="editor",
                    settings=(f"data={mode}", f"on_revoke={on_revoke}"))
    guild.make_file(share.backing / "f", b"x" * 4096, 0o666)
    guild.make_folder(share.backing / "load", 0o777)
    for number in range(items):
        (share.backing / f"item{number:06}").touch(0o644)
    return share


def measure(g, program, share, rounds, how, load):
    command = [program, str(g.store), share.ref, str(g.bob.uid), share.at(g.bob), "f", str(rounds), how]
    if load:
        command += [str(g.alice.uid), share.at(g.alice, "load")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    if done.returncode:
        raise guild.Failure(f"{' '.join(command)}: {done.stderr}\n{g.log_tail()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_all(g, options):
    lines = []
    for items in options.items:
        for mode in options.modes:
            share = prepare(g, items, mode, "poison")
            for load in (False, True):
                how = "look" if mode == "revocable" else "look-fast"
                found = measure(g, options.program, share, rounds_for(options.rounds, items), how, load)
                fresh = [(items, mode, load, each) for each in found if not each.get("left")]
                print_lines(fresh)
                lines += fresh
    if options.kill_rounds:
        share = prepare(g, 10, "fast", "kill")
        for load in (False, True):
            found = measure(g, options.program, share, options.kill_rounds, "kill", load)
            lines += [(10, "fast, kill", load, each) for each in found]
            print_lines(lines[-1:])
    return lines


def row(line):
    items, mode, load, found = line
    return (f"| {items:,} | {mode} | {'8 threads' if load else 'alone'} | {WORDS[found['way']]} | {found['rounds']} | "
            f"{found['median_ms']:.1f} | {found['p99_ms']:.1f} | {found['worst_ms']:.1f} |")


def print_lines(lines):
    for line in lines:
        print(row(line), flush=True)


def table(lines):
    head = ["| items cached | mode | load | what is refused | rounds | median ms | p99 ms | worst ms |",
            "|---:|---|---|---|---:|---:|---:|---:|"]
    return "\n".join(head + [row(line) for line in lines]) + "\n"


def missed(lines):
    return [row(line) for line in lines
            if line[3]["p99_ms"] > (SETTLED_GOAL if line[3]["way"] == "settled" else
                                    P99_GOALS.get(line[3]["way"], float("inf")))]


def write_page(path, text):
    page = pathlib.Path(path)
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + BEGIN + text + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--kill-rounds", type=int, default=1000)
    parser.add_argument("--items", type=lambda text: [int(each) for each in text.split(",")], default=[10, 1000, 100000])
    parser.add_argument("--modes", type=lambda text: text.split(","), default=["revocable", "fast"])
    parser.add_argument("--write", metavar="PAGE")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(4 * 3600)
    options.program = os.path.abspath(options.program)
    with guild.Guild(["alice", "bob"]) as g:
        lines = run_all(g, options)
    if options.write:
        write_page(options.write, table(lines))
    for line in missed(lines):
        print(f"goal missed: {line}")
    if options.check and missed(lines):
        sys.exit(1)


main()
