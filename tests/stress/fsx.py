#!/usr/bin/env python3
"""Files that are written and read through two views at once hold what was written, whoever looks.

    fsx.py PROGRAM [--seconds N] [--seed N] [--data revocable|fast] [--processes N] [--quota] [--apart]

PROGRAM: the compiled fsx.c, which says what it does. --quota: the share has one, which is not reached. --apart: the
views belong to two daemons, which do not tell each other anything; mismatches must be found then.
"""

import argparse
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import apart
import guild


def run(g, arguments, other):
    program = guild.reachable(arguments.program, g.dir)
    settings = [f"data={arguments.data}"] + (["quota=1G"] if arguments.quota else [])
    share = g.share("data", settings=settings, alice="editor", bob="editor")
    views = [share.at(g.alice), share.at(g.bob)]
    if other:
        views[1] = views[1].replace(str(g.mountpoint), str(other))
    command = [program, arguments.seconds, arguments.seed, arguments.processes, share.backing,
               f"{views[0]}:{g.alice.uid}", f"{views[1]}:{g.bob.uid}"]
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=arguments.seconds + 60)
    if other:
        print((done.stdout.splitlines() or [""])[-1])
        guild.equal(done.returncode, 1, "mismatches are found where views do not hear of each other")
        return
    print(done.stdout, end="", flush=True)
    guild.equal(done.returncode, 0, f"fsx with seed {arguments.seed}: exit status")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", choices=["revocable", "fast"], default="revocable")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--quota", action="store_true")
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(int(arguments.seconds) + 120)
    apart.run(["alice", "bob"], arguments, run)


if __name__ == "__main__":
    main()
