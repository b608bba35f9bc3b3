#!/usr/bin/env python3
"""Runs case files (tests/cases/README.md) through the command line: run-cases.py FILE...

A store is made by commands from what a file declares; what it expects is asked of `guildfs check`.
0: all as expected; 1: deviations; 2: a file that is no case; 77: no root.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import cases  # noqa: E402

GUILDFS = os.environ.get("GUILDFS", "guildfs")
CONTENT = b"sixteen bytes ok"
UPLOAD_XATTR = "trusted.guildfs.upload"


class Case:
    """One file, in a store of its own."""

    def __init__(self, path, directory):
        self.path, self.store = path, directory / "store"
        self.statements = cases.parse(path)
        self.groups, self.uuids, self.references, self.roots = set(), {}, {}, {}

    def cli(self, *words, stdin=None, accept=(0,)):
        command = [GUILDFS, "--store", self.store, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, input=stdin)
        if done.returncode not in accept:
            sys.exit(f"{self.path}: guildfs {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    # ---- what is declared ----

    def declare(self):
        self.cli("init", self.store)
        for statement in self.statements:
            if statement.verb != "expect":
                getattr(self, statement.verb, self.item)(statement)
        # Archived last: leaving and entering the archive is a moment that pending uploads depend on.
        for statement in self.statements:
            if statement.verb == "share" and statement.options:
                options = [f"{key}={value}" for key, value in statement.options.items()]
                self.cli("share", "set", self.references[statement.name], *options)

    def need_group(self, name):
        if name and name not in self.groups:
            self.cli("group", "add", name)
            self.groups.add(name)

    def group(self, statement):
        self.need_group(statement.name)

    def principal(self, statement):
        self.uuids[statement.name] = json.loads(self.cli("user", "add", statement.name))["uuid"]
        for group, role in statement.groups:
            self.need_group(group)
            self.cli("member", "add", group, statement.name, "--role", role)
        if statement.suspended:
            self.cli("user", "set", statement.name, "--status", "suspended")

    def share(self, statement):
        words = ["share", "add", statement.name, "--kind", statement.kind]
        self.need_group(statement.group)
        words += ["--group", statement.group] if statement.group else []
        words += ["--owner", statement.owner] if statement.owner else []
        if statement.around:
            outer, _, inside = statement.around.partition("/")
            words += ["--in", f"{self.references[outer]}/{inside}"]
        made = json.loads(self.cli(*words))
        self.references[statement.name] = made["uuid"]
        self.roots[statement.name] = Path(made["directory"])

    def grant(self, statement):
        words = ["grant", statement.subject, self.references[statement.share], statement.perms]
        self.cli(*words, *(["--until", statement.until] if statement.until else []))

    def item(self, statement):
        share, _, rest = statement.path.partition("/")
        path = self.roots[share] / rest
        if statement.verb == "folder":
            path.mkdir()
        elif statement.verb == "symlink":
            path.symlink_to("target")
        else:
            path.write_bytes(CONTENT)
        if statement.by:
            state = "pending" if statement.pending else "settled"
            record = f"1 {self.uuids[statement.by]} {state} {time.time_ns()}"
            os.setxattr(path, UPLOAD_XATTR, record.encode(), follow_symlinks=False)

    # ---- what is expected ----

    def evaluate(self):
        """The number of deviations."""
        expected = [statement for statement in self.statements if statement.verb == "expect"]
        if not expected:
            raise cases.CaseError(f"{self.path}: a case without an expectation tests nothing")
        quote = lambda word: '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines = [" ".join(map(quote, (each.user, each.op, each.path))) + (f" to {quote(each.to)}" if each.to else "")
                 for each in expected]
        printed = self.cli("check", "--explain", "--batch", "-", stdin="\n".join(lines) + "\n", accept=(0, 1))
        answers = printed.splitlines()
        assert len(answers) == len(expected), (len(answers), len(expected))
        return sum(self.deviates(each, json.loads(answer)) for each, answer in zip(expected, answers))

    def deviates(self, expect, answer):
        if "error" in answer:
            found = f"no answer: {answer['error']['message']}"
        else:
            found = "allow" if answer["allowed"] else f"deny {answer['errno']}"
        wanted = "allow" if expect.allowed else f"deny {expect.errno}"
        if found == wanted:
            return False
        to = f" to {expect.to}" if expect.to else ""
        print(f"{self.path}:{expect.line}: {expect.user} {expect.op} {expect.path}{to}: "
              f"expected {wanted}, guildfs check says {found}")
        for line in (answer.get("explanation") or "").splitlines():
            print(f"    {line}")
        return True


def run(path):
    directory = Path(tempfile.mkdtemp(prefix="guildfs-case-"))
    try:
        case = Case(path, directory)
        case.declare()
        deviations = case.evaluate()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{path}: {deviations} deviations")
    return deviations


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: run-cases.py FILE...")
    if os.geteuid() != 0:
        print("needs root")
        return 77
    try:
        return 1 if sum([run(path) for path in sys.argv[1:]]) else 0
    except cases.CaseError as problem:
        print(problem, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
