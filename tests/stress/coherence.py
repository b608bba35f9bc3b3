#!/usr/bin/env python3
"""What is done in one view shows at once in the others: random operations, and checkers that know what must show.

    coherence.py PROGRAM [--way turns|free|both] [--seconds N] [--seed N] [--data revocable|fast]
                 [--processes N] [--idle N] [--apart]

PROGRAM: the compiled coherence/, which says how it checks. --idle: so many more views show the same share, have
everything cached at the start, and do nothing. --apart: the views belong to two daemons, which do not tell each other
anything; the checkers must find stale answers then, and it is a failure when they do not.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import apart
import calls
import guild

NAMES = ["alice", "bob", "carol", "dave"]


def look_around(path):
    return [os.path.join(top, name) for top, folders, files in os.walk(path) for name in folders + files
            if os.lstat(os.path.join(top, name))]


def check(g, program, way, arguments, views, share):
    word = "turns-fast" if (way, arguments.data) == ("turns", "fast") else way
    command = [program, word, arguments.seconds, arguments.seed, arguments.processes, share.backing, *views]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=arguments.seconds + 120)
    lines = done.stdout.splitlines()
    if arguments.apart:
        print(lines[-1] if lines else "")
        guild.equal(done.returncode, 1, f"{way}: stale answers are found where views do not hear of each other")
        return
    print(done.stdout, end="", flush=True)
    guild.equal(done.returncode, 0, f"{way} with seed {arguments.seed}: exit status")


def run(g, arguments, other):
    program = guild.reachable(arguments.program, g.dir)
    grants = {name: "editor" for name in g.users}
    for way in ["turns", "free"] if arguments.way == "both" else [arguments.way]:
        share = g.share(way, settings=[f"data={arguments.data}"], **grants)
        views = []
        for number, name in enumerate(NAMES):
            path = share.at(g.users[name])
            if other and number % 2:
                path = path.replace(str(g.mountpoint), str(other))
            views.append(f"{path}:{g.users[name].uid}")
        for name in list(g.users)[len(NAMES):]:
            g.users[name].call(look_around, share.at(g.users[name]))
        check(g, program, way, arguments, views, share)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--way", choices=["turns", "free", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", choices=["revocable", "fast"], default="revocable")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(int(arguments.seconds) * 2 + 240)
    apart.run(NAMES + [f"idle{number}" for number in range(arguments.idle)], arguments, run)


if __name__ == "__main__":
    main()
