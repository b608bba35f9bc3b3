#!/usr/bin/env python3
"""Many people in the same folders, and rights that change under them: nothing hangs, nothing is lost.

    crowd.py [--seconds N] [--people N]

Each person creates, renames, removes, lists and writes in folders that all share, while an
administrator grants and revokes. No call may take longer than LIMIT_S (a deadlock between two
views' directory locks would last for ever), the daemon must live, and at the end every view shows
exactly what the backing folder holds.
"""

import argparse
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import calls
import guild

LIMIT_S = 10.0
SLOW_S = 0.05
FOLDERS = [f"f{number}" for number in range(4)]


def mingle(root, seconds, seed):
    """Random operations for a while. (calls, succeeded, those over SLOW_S, the longest in seconds, what that was)."""
    source = random.Random(seed)
    end = time.monotonic() + seconds
    count = succeeded = slow = 0
    longest = (0.0, "")
    while time.monotonic() < end:
        folder, other = (f"{root}/{source.choice(FOLDERS)}" for _ in range(2))
        name, target = f"{folder}/n{source.randrange(12)}", f"{other}/n{source.randrange(12)}"
        action = source.choice(ACTIONS)
        start = time.monotonic()
        try:
            action(name, target)
            succeeded += 1
        except OSError:
            pass
        took = time.monotonic() - start
        longest = max(longest, (took, f"{action.__name__} {name} {target}"))
        slow += took > SLOW_S
        count += 1
    return count, succeeded, slow, *longest


def create(name, _):
    calls.write_file(name, b"x" * 100, os.O_WRONLY | os.O_CREAT)


def append(name, _):
    calls.write_file(name, b"y" * 5000, os.O_WRONLY | os.O_APPEND)


def read(name, _):
    calls.read_file(name)


def mkdir(name, _):
    os.mkdir(name)


def rmdir(name, _):
    os.rmdir(name)


def unlink(name, _):
    os.unlink(name)


def rename(name, target):
    os.rename(name, target)


def exchange(name, target):
    calls.renameat2(name, target, calls.RENAME_EXCHANGE)


def link(name, target):
    os.link(name, target)


def listing(name, _):
    os.listdir(os.path.dirname(name))


def look(name, _):
    os.stat(name)


def chmod(name, _):
    os.chmod(name, 0o600)
    os.chmod(name, 0o755)


def truncate(name, _):
    os.truncate(name, 10)


ACTIONS = [create, create, append, read, mkdir, rmdir, unlink, rename, rename, exchange, link, listing, look, chmod,
           truncate]


def tree(path):
    return sorted(os.path.join(top, name)[len(path):] for top, folders,
                  files in os.walk(path) for name in folders + files)


def run(g, seconds):
    share = g.share("square", **{name: "editor" for name in g.users})
    for folder in FOLDERS:
        guild.make_folder(share.backing / folder, 0o777)
    people = list(g.users.values())
    for number, user in enumerate(people):
        user.worker.start(mingle, share.at(user), seconds, number)
    victim, changes = people[-1], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        g.revoke(victim.name, share, "delete,rename") if changes % 2 == 0 else g.grant(victim.name, share, "editor")
        changes += 1
    total = 0
    for user in people:
        number, result = user.worker.finish(seconds + 60)
        count, succeeded, slow, longest, what = result
        print(f"{user.name}: {count} calls, {succeeded} succeeded, {slow} over {SLOW_S * 1000:.0f} ms, "
              f"the longest {longest * 1000:.0f} ms")
        guild.true(longest < LIMIT_S, f"no call hangs: {what} took {longest:.1f} s")
        total += count
    print(f"{total} calls of {len(people)} people, {changes} changes of rights")
    guild.true(g.daemon.poll() is None, "the daemon lives")
    g.grant(victim.name, share, "editor")
    wanted = tree(str(share.backing))
    for user in people:
        guild.eventually(lambda: user.call(tree, share.at(user)) == wanted,
                         f"{user.name}'s view is the backing folder", 5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--people", type=int, default=6)
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(int(arguments.seconds) + 120)
    with guild.Guild([f"person{number}" for number in range(arguments.people)]) as g:
        try:
            run(g, arguments.seconds)
        except (guild.Failure, TimeoutError) as failure:
            print(f"FAIL: {failure}\n{g.log_tail()}")
            sys.exit(1)
    print("ok")


if __name__ == "__main__":
    main()
