#!/usr/bin/env python3
"""Authority in motion: rights change at random while 8 processes in 4 views work, and each outcome is judged.

    motion.py [--minutes N] [--seed N] [--setting KEY=VALUE] [--calm]

Rounds of some seconds. In each the processes do random things (motion/acts.py), an administrator
changes the policy (motion/admin.py), and in some the store fails or the daemon is killed
(motion/faults.py). Then everything is judged (motion/verdict.py) by the history that the store's
audit tells (motion/policy.py) and by the model of the contract, tests/mount/model.py.
"""

import argparse
import mmap
import pathlib
import random
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib"), str(HERE.parent / "mount"), str(HERE / "motion")]

import acts
import faults
import guild
import worker
from acts import SHARES
from admin import Admin
from policy import History
from verdict import Checker

PEOPLE, GROUPS = ["ann", "ben", "cid", "dee"], ["lab", "club"]
PROCESSES = 8
LIMIT_S = 10.0
ROUND_S = 5.0
PAUSE_S = 0.012  # between two operations of a process, at most: there are to be quiet times between changes


class Process:
    def __init__(self, g, number):
        self.user = PEOPLE[number % len(PEOPLE)]
        self.number = number
        self.worker = g.users[self.user].another_worker()
        self.there = {}

    @property
    def who(self):
        return self.user, self.number


class Motion:
    def __init__(self, g, arguments):
        self.g, self.arguments = g, arguments
        self.random = random.Random(arguments.seed)
        self.epoch, self.end = 0, 0.0
        self.history = History(PEOPLE, SHARES)
        fast = "data=fast" in arguments.setting
        self.checker = Checker(self.history, fast, arguments.broken_model)
        self.admin = Admin(g, PEOPLE, GROUPS, SHARES, arguments.seed)
        self.mappings = not fast
        self.board = mmap.mmap(-1, PROCESSES * acts.SLOT)
        acts.BOARDS["board"] = self.board
        self.processes = [Process(g, number) for number in range(PROCESSES)]
        self.prepare()

    # ---- before ----

    def prepare(self):
        for group in GROUPS:
            self.g.add_group(group, boss="owner")
        self.roots = {}
        for name in SHARES:
            share = self.g.share(name, settings=self.arguments.setting)
            self.roots[name] = str(share.backing)
            for each in acts.FIXED:
                guild.make_file(share.backing / each, b"content of a file", 0o666)
        for process in self.processes:
            process.there = {}
            for share in SHARES:
                for name in acts.FILES + acts.FOLDERS:
                    self.put(process, share, name)
        self.admin.generation = self.g.json("audit", "--store-only", "--limit", "none")[-1]["generation"]
        for share in SHARES:
            for person in PEOPLE:
                if self.admin.run("grant", f"user:{person}", f"share:{share}", "view,download") != 0:
                    raise guild.Failure(self.admin.changes[-1].text)
        self.admin.collect()

    def put(self, process, share, name):
        """Half of the names are there for ever, the other half is free."""
        path = pathlib.Path(self.roots[share], f"{process.user}-{process.number}-{name}")
        there = name in acts.FILES[:2] + acts.FOLDERS[:1]
        if there:
            guild.make_folder(path, 0o755) if name in acts.FOLDERS else guild.make_file(path, b"settled content")
            self.checker.items[process.who, share, path.name] = frozenset(["settled"])
        process.there[share, path.name] = there

    # ---- a round ----

    def start(self):
        for process in self.processes:
            process.worker.start(acts.work, "board", process.number, process.user, process.number,
                                 str(self.g.users[process.user].view), self.random.getrandbits(32), self.epoch,
                                 self.mappings, process.there, self.end, PAUSE_S)
            process.there = None

    def watch(self):
        """No operation may take longer than LIMIT_S. False."""
        for process in self.processes:
            begin, what = struct.unpack_from("d200s", self.board, process.number * acts.SLOT)
            if begin and time.monotonic() - begin > LIMIT_S:
                self.checker.counts["hangs"] += 1
                stack = pathlib.Path(f"/proc/{process.worker.pid}/stack")
                raise guild.Failure(f"HANG: {what.rstrip(bytes(1)).decode()} of {process.who} since {begin:.3f}\n"
                                    f"{stack.read_text() if stack.exists() else ''}")
        return False

    def administer(self, until):
        while time.monotonic() < until:
            self.admin.step()
            self.watch()
            time.sleep(self.random.random() * 0.12)

    def finish(self):
        records = {}
        for process in self.processes:
            number, records[process] = process.worker.finish(LIMIT_S + 10)
            guild.equal(number, 0, f"what {process.who} ended with")
        self.admin.tell(self.history)
        self.history.advance(time.monotonic())
        for process, log in records.items():
            for record in log:
                self.checker.judge(process.who, record)
        self.history.forget(time.monotonic() - 20)
        self.watch()

    def round(self, fault=None):
        begin = time.monotonic()
        self.end = begin + ROUND_S + (8 if fault else 0)
        self.start()
        if fault:
            self.administer(begin + 1)
            outage = fault()
            if outage:
                self.checker.outages.append(outage)
        self.administer(self.end)
        self.finish()

    def kill(self):
        self.checker.kills.append(time.monotonic())
        changes = self.random.random() < 0.5
        outage = faults.killed(self.g, self.watch, self.admin.step if changes else lambda: None)
        self.epoch += 1
        return outage

    def kinds(self):
        """What is to fail, in a random order."""
        known = {each.__name__: lambda each=each: each(self.g, self.watch) for each in faults.STORE_FAULTS}
        known["killed"] = self.kill
        kinds = [known[name] for name in self.arguments.faults.split(",")] if self.arguments.faults else \
            [*known.values(), self.kill]
        self.random.shuffle(kinds)
        return kinds

    def run(self, seconds):
        end = time.monotonic() + seconds
        number = 0
        kinds = self.kinds()
        while time.monotonic() < end:
            fault = None
            if not self.arguments.calm and number % 2 == 1:
                fault = kinds[number // 2 % len(kinds)]
            self.round(fault)
            number += 1
        return number


def report(motion, rounds):
    counts = dict(motion.checker.counts)
    print(f"{rounds} rounds, {motion.admin.count} changes, {counts.pop('judged', 0)} operations judged; " +
          ", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    print(f"the longest operation {motion.checker.longest[0] * 1000:.0f} ms ({motion.checker.longest[1]}), "
          f"the longest --wait {motion.admin.longest * 1000:.0f} ms")
    guild.true(motion.g.daemon.poll() is None, "the daemon lives")
    guild.equal(counts.get("wrong", 0), 0, f"wrong outcomes with seed {motion.arguments.seed}")
    guild.true(motion.admin.count > 5 * rounds, "there were enough changes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--setting", action="append", default=[], help="KEY=VALUE for every share, such as data=fast")
    parser.add_argument("--faults", help="only these, by their names in motion/faults.py, with commas")
    parser.add_argument("--calm", action="store_true", help="nothing fails, nobody is killed")
    parser.add_argument("--broken-model", action="store_true", help="judge by a wrong model: the checker must fail")
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(int(arguments.minutes * 60) + 240)
    with guild.Guild(PEOPLE + ["boss"], options=f"stale_limit={faults.STALE_LIMIT_S:.0f}") as g:
        motion = Motion(g, arguments)
        try:
            rounds = motion.run(arguments.minutes * 60)
            report(motion, rounds)
            guild.true(not arguments.broken_model, "the checker finds what a wrong model makes wrong")
        except (guild.Failure, TimeoutError) as failure:
            if arguments.broken_model and motion.checker.counts["wrongly refused"]:
                print("ok: the checker found what the wrong model made wrong")
                return
            print(f"FAIL (seed {arguments.seed}): {failure}\n{g.log_tail()}")
            sys.exit(1)
    print("ok")


if __name__ == "__main__":
    main()
