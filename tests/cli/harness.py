"""A store of its own for every test, and the guildfs program to act on it.

The program is $GUILDFS. Needs root, as the program does; where there is none the tests are skipped
(exit code 77).
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

GUILDFS = os.environ.get("GUILDFS", "guildfs")
SOURCE = Path(__file__).resolve().parents[2]
SKIP = 77

DONE, FAILED, USAGE, DENIED = 0, 1, 2, 3


class StoreTest(unittest.TestCase):
    """One test: a directory, a new store in it, people in the store."""

    users = ("alice", "bob")

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="guildfs-cli-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.store = self.directory / "store"
        self.ok("init", self.store)
        for user in self.users:
            self.ok("user", "add", user)

    # ---- running the program ----

    def run_cli(self, *words, store=None, stdin=None, **options):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "GUILDFS_STORE": str(store or self.store)}
        # Bytes, because a name need not be UTF-8.
        command = [GUILDFS] + [word if isinstance(word, bytes) else str(word) for word in words]
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True, timeout=60, **options)
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        return done

    def ok(self, *words, **options):
        """The command must succeed, silently on standard error. Returns what it printed."""
        done = self.run_cli(*words, **options)
        self.assertEqual((done.returncode, done.err), (DONE, ""), f"guildfs {words}")
        return done.out

    def json(self, *words, **options):
        return json.loads(self.ok("--json", *words, **options))

    def refused(self, exit_code, message, *words, **options):
        """The command must fail with this exit code and one line that contains message, print
        nothing else, and leave the store as it was. The same as JSON."""
        before = self.dump()
        done = self.run_cli(*words, **options)
        self.assertEqual(done.returncode, exit_code, f"guildfs {words}: {done.err}")
        self.assertEqual(done.out, "")
        self.assertEqual(done.err.count("\n"), 1, f"not one line: {done.err!r}")
        self.assertTrue(done.err.startswith("guildfs: "), done.err)
        self.assertIn(message, done.err)
        done = self.run_cli("--json", *words, **options)
        self.assertEqual(done.returncode, exit_code)
        error = json.loads(done.err)["error"]
        self.assertEqual(error["exit"], exit_code)
        self.assertIn(message, error["message"])
        self.assertTrue(error["code"].startswith("E"), error)
        self.assertEqual(self.dump(), before, f"guildfs {words} was refused, and changed the store")

    # ---- looking at the store ----

    def database(self):
        return sqlite3.connect(f"file:{self.store}/guildfs.db?mode=ro", uri=True)

    def dump(self):
        """All rows of the database, and the directories of the default node."""
        if not (self.store / "guildfs.db").exists():
            return None
        try:
            with self.database() as database:
                rows = list(database.iterdump())
        except sqlite3.DatabaseError as problem:
            rows = [str(problem)]
        return rows, sorted(str(path) for path in (self.store / "data").rglob("*"))

    def generation(self):
        with self.database() as database:
            return database.execute("SELECT value FROM generation").fetchone()[0]

    def changes_once(self, *words):
        """The command succeeds and raises the generation by one, with an audit row."""
        before, rows = self.generation(), self.audit_count()
        printed = self.ok(*words)
        self.assertEqual(self.generation(), before + 1, f"guildfs {words}")
        self.assertGreater(self.audit_count(), rows)
        return printed

    def audit_count(self):
        with self.database() as database:
            return database.execute("SELECT count(*) FROM audit").fetchone()[0]

    def directory_of(self, share):
        return Path(self.json("share", "show", share)["directory"])


def main():
    if os.geteuid() != 0:
        print("needs root")
        sys.exit(SKIP)
    unittest.main(verbosity=2)
