#!/usr/bin/env python3
"""Wrong words on the command line, and wrong stores: one clear line, the right exit code, nothing changed."""

import os
import shutil
import sqlite3
import subprocess
import threading
from pathlib import Path

import harness
from harness import DONE, FAILED, USAGE


class Words(harness.StoreTest):
    def test_commands(self):
        self.refused(USAGE, "no command")
        self.refused(USAGE, 'did you mean "share"', "shrae", "list")
        self.refused(USAGE, "see guildfs --help", "xyzzy")
        self.refused(USAGE, 'did you mean "user add"', "user", "ad", "x")
        self.refused(USAGE, "add, list, show, set", "user")
        self.refused(USAGE, "add, list, show, set", "user", "zzzzzzzz")
        self.refused(USAGE, "usage: guildfs user add NAME", "user", "add")
        self.refused(USAGE, "too many words", "user", "list", "extra")
        self.refused(USAGE, "unknown option --frob", "user", "list", "--frob")
        self.refused(USAGE, "unknown option -x", "user", "list", "-x")
        self.refused(USAGE, "unknown option --frob", "--frob", "user", "list")
        self.refused(USAGE, "needs a value", "user", "add", "x", "--uid")
        self.refused(USAGE, "too many options", "share", "add", "x", *["--set", "state=active"] * 70)

    def test_a_newline_forges_no_second_line(self):
        self.refused(USAGE, "unknown command", "a\nguildfs: all is well")
        self.refused(FAILED, "", "user", "show", "a\nb")

    def test_names(self):
        bad = ["", ".", "..", "a/b", "a\nb", "a\tb", "a\x7fb", "x" * 256, "ä" * 128, "my", "public", ".guildfs",
               ".guildfs-x", b"\xff\xfe", b"a\xc0\xaf", "a\u2028b", "a\u0085b"]
        for name in bad:
            self.refused(USAGE, "name", "user", "add", name)
            self.refused(USAGE, "name", "group", "add", name)
            self.refused(USAGE, "name", "share", "add", name)

    def test_unknown_things(self):
        self.ok("group", "add", "genomics")
        self.ok("share", "add", "atlas")
        for words in (("user", "show", "nobody"), ("user", "set", "nobody", "--status", "active"),
                      ("member", "add", "genomics", "nobody"), ("member", "remove", "genomics", "nobody"),
                      ("share", "add", "x", "--owner", "nobody"), ("share", "set", "atlas", "owner=nobody"),
                      ("grant", "user:nobody", "atlas", "view"), ("check", "nobody", "stat", "atlas")):
            self.refused(FAILED, "nobody", *words)
        for words in (("group", "show", "nothing"), ("member", "add", "nothing", "bob"), ("member", "list", "nothing"),
                      ("member", "remove", "nothing", "bob"), ("share", "add", "x", "--group", "nothing"),
                      ("grant", "group:nothing", "atlas", "view"), ("grant", "team:nothing", "atlas", "view"),
                      ("grant", "organization:nothing", "atlas", "view"), ("share", "show", "nothing"),
                      ("share", "set", "nothing", "state=active"), ("share", "add", "x", "--in", "nothing/a"),
                      ("share", "add", "x", "--node", "nothing"), ("grant", "everyone", "nothing", "view"),
                      ("revoke", "everyone", "nothing"), ("who", "nothing"), ("check", "bob", "stat", "nothing/a")):
            self.refused(FAILED, "nothing", *words)
        self.refused(FAILED, "no member", "member", "remove", "genomics", "bob")
        self.refused(FAILED, "no such authorization", "revoke", "user:bob", "atlas")
        self.ok("grant", "user:bob", "atlas", "view")
        self.refused(FAILED, "no such authorization", "revoke", "user:bob", "atlas", "delete")

    def test_twice_the_same(self):
        self.ok("group", "add", "genomics")
        self.ok("share", "add", "atlas")
        self.ok("share", "add", "map", "--group", "genomics")
        self.ok("user", "add", "carol", "--uid", 5001)
        self.refused(FAILED, "alice", "user", "add", "alice")
        self.refused(FAILED, "uid", "user", "add", "dave", "--uid", 5001)
        self.refused(FAILED, "genomics", "group", "add", "genomics")
        self.refused(FAILED, "atlas", "share", "add", "atlas")
        self.refused(FAILED, "map", "share", "add", "map", "--group", "genomics")
        self.refused(FAILED, "", "init", self.store)

    def test_values(self):
        self.ok("share", "add", "atlas")
        for perms in ("", "read", "view,,upload", "view;upload", "VIEW", "all", "view upload"):
            self.refused(USAGE, "", "grant", "user:bob", "atlas", perms)
        self.refused(USAGE, "no permission", "grant", "user:bob", "atlas", "none")
        for subject in ("bob", "user:", "users:bob", "", "Everyone", "everyone:x"):
            self.refused(USAGE, "is no subject", "grant", subject, "atlas", "view")
        for duration in ("grace=", "grace=1", "grace=-1h", "grace=1x", "grace=1hh", "grace=1.5h", "grace= 1h",
                         "grace=99999999999999999999s", "grace=1000000000d"):
            self.refused(USAGE, "is no duration", "share", "set", "atlas", duration)
        for size in ("quota=", "quota=-1", "quota=1X", "quota=1GB", "quota=99999999999999999999", "quota=9000000P"):
            self.refused(USAGE, "is no size", "share", "set", "atlas", size)
        self.refused(USAGE, "quota=none", "share", "set", "atlas", "quota=0")
        for option in ("overwrite=yes", "state=gone", "data=slow", "audit=some"):
            self.refused(USAGE, "the value is", "share", "set", "atlas", option)
        for option in ("nothing", "nothing=1", "=", "state"):
            self.refused(USAGE, "is no option", "share", "set", "atlas", option)
        self.refused(USAGE, "control character", "share", "set", "atlas", "title=a\nb")
        self.refused(USAGE, "UTF-8", "share", "set", "atlas", b"title=\xff")
        self.refused(USAGE, "longer", "share", "set", "atlas", "title=" + "x" * 256)
        # The first one is right, and must not be done without the second.
        self.refused(USAGE, "", "share", "set", "atlas", "state=archived", "quota=x")
        for time in ("", "tomorrow", "+", "+1", "2027-01-01", "2027-02-30T00:00:00Z", "2027-13-01T00:00:00Z",
                     "2027-01-01T00:00:00", "2027-01-01T25:00:00Z", "2027-01-01T00:00:00+0100",
                     "99999-01-01T00:00:00Z"):
            self.refused(USAGE, "", "grant", "user:bob", "atlas", "view", "--until", time)
        self.refused(USAGE, "has passed", "grant", "user:bob", "atlas", "view", "--until", "2001-01-01T00:00:00Z")
        for number in ("-1", "x", "", "4294967295", "99999999999", "1.5", "0x10", " 1"):
            self.refused(USAGE, "is no uid", "user", "add", "x", "--uid", number)
        self.refused(USAGE, "needs a --uid", "user", "add", "x", "--gid", "1")
        self.refused(USAGE, "is no status", "user", "set", "bob", "--status", "away")
        self.refused(USAGE, "nothing to change", "user", "set", "bob")
        self.refused(USAGE, "", "share", "add", "x", "--kind", "folder")
        self.refused(USAGE, "is no role", "member", "add", "g", "bob", "--role", "king")
        self.refused(USAGE, "", "check", "bob", "fly", "atlas")
        self.refused(USAGE, "takes one path", "check", "bob", "stat", "atlas", "--to", "atlas/x")
        self.refused(USAGE, "usage", "check", "bob", "stat")
        self.refused(USAGE, "bash and zsh", "completion", "fish")

    def test_a_capsule_needs_an_owner(self):
        before = self.dump()
        self.assertNotEqual(self.run_cli("share", "add", "x", "--kind", "capsule").returncode, DONE)
        self.assertEqual(self.dump(), before)


class Directories(harness.StoreTest):
    """share add that cannot make its directory, and share adopt of what it must not."""

    def test_nothing_half_done(self):
        self.ok("share", "add", "atlas")
        outer = self.directory_of("atlas")
        (outer / "file").write_text("x")
        (outer / "link").symlink_to("/tmp")
        (outer / "loop").symlink_to("file")
        self.refused(FAILED, "", "share", "add", "x", "--in", "atlas/file")
        self.refused(FAILED, "symlink", "share", "add", "x", "--in", "atlas/link")
        self.refused(FAILED, "symlink", "share", "add", "x", "--in", "atlas/link/x")
        self.refused(FAILED, "", "share", "add", "x", "--in", "atlas/missing/x")
        for path in ("atlas", "atlas/", "atlas/../x", "atlas/./x", "atlas/a\nb"):
            self.refused(USAGE, "", "share", "add", "x", "--in", path)
        self.refused(USAGE, "leave out --node", "share", "add", "x", "--in", "atlas/x", "--node", "default")

    def test_a_node_that_is_gone(self):
        shutil.move(self.store / "data", self.store / "elsewhere")
        self.refused(FAILED, "data", "share", "add", "x")

    def test_the_directory_goes_when_the_row_does_not_come(self):
        before = self.dump()
        database = sqlite3.connect(self.store / "guildfs.db")
        database.execute("CREATE TRIGGER refuse BEFORE INSERT ON audit "
                         "BEGIN SELECT RAISE(ABORT, 'EIO no audit today'); END")
        database.commit()
        done = self.run_cli("share", "add", "x")
        database.execute("DROP TRIGGER refuse")
        database.commit()
        database.close()
        self.assertNotEqual(done.returncode, DONE)
        self.assertEqual(self.dump(), before)

    def make(self, name):
        path = self.directory / name
        path.mkdir(parents=True)
        return path

    def test_adopt(self):
        old = self.make("srv/old")
        (old / "kept").write_text("content")
        old.chmod(0o750)
        share = self.json("share", "adopt", old, "--name", "legacy", "--set", "quota=1G")
        self.assertEqual(share["directory"], str(old))
        self.assertEqual((old / "kept").read_text(), "content")
        self.assertEqual(old.stat().st_mode & 0o777, 0o750)
        other = self.json("share", "adopt", str(self.make("srv/other")) + "/", "--name", "other")
        self.assertEqual(other["node"], share["node"], "the node is used again")
        link = self.directory / "shortcut"
        link.symlink_to(self.directory / "srv")
        self.make("srv/third")
        third = self.json("share", "adopt", link / "third", "--name", "third")
        self.assertEqual(third["directory"], f"{self.directory}/srv/third", "the directories above are resolved")

    def test_adopt_below_the_store_s_data(self):
        (self.store / "data" / "restored").mkdir()
        share = self.json("share", "adopt", self.store / "data" / "restored", "--name", "restored")
        self.assertEqual((share["node"], share["path"]), ("default", "restored"))

    def test_adopt_refuses(self):
        old = self.make("srv/old")
        (old / "below" / "deep").mkdir(parents=True)
        (self.directory / "file").write_text("x")
        (self.directory / "link").symlink_to(old)
        adopt = lambda path: ("share", "adopt", path, "--name", "x")
        self.refused(USAGE, "--name", "share", "adopt", old)
        self.refused(FAILED, "", *adopt(self.directory / "missing"))
        self.refused(FAILED, "no directory", *adopt(self.directory / "file"))
        self.refused(FAILED, "symlink", *adopt(self.directory / "link"))
        for path in ("/", ".", "..", "", f"{old}/."):
            self.refused(USAGE, "cannot be adopted", *adopt(path))
        self.refused(FAILED, "holds the store", *adopt(self.directory))
        self.refused(FAILED, "holds the store", *adopt(self.store))
        self.refused(FAILED, "lies in the store", *adopt(self.store / "data"))
        (self.store / "other").mkdir()
        self.refused(FAILED, "lies in the store", *adopt(self.store / "other"))
        bad = self.directory / "a\nb"
        bad.mkdir()
        self.refused(USAGE, "control characters", *adopt(bad))
        self.ok("share", "adopt", old / "below", "--name", "below")
        self.refused(FAILED, "already", *adopt(old / "below"))
        self.refused(FAILED, 'holds the share "below"', *adopt(old))
        self.refused(FAILED, 'lies in the share "below"', *adopt(old / "below" / "deep"))
        inner = self.json("share", "adopt", old / "below" / "deep", "--name", "deep", "--in", "below")
        self.assertEqual((inner["in"], inner["directory"]), ("below", f"{old}/below/deep"))
        outside = self.make("srv/outside")
        self.refused(USAGE, "does not lie in", "share", "adopt", outside, "--name", "x", "--in", "below")

    def test_adopt_sees_through_a_bind_mount(self):
        old = self.make("srv/old")
        (old / "deep").mkdir()
        alias = self.make("alias")
        self.ok("share", "adopt", old, "--name", "old")
        subprocess.run(["mount", "--bind", old, alias], check=True)
        try:
            self.refused(FAILED, 'lies in the share "old"', "share", "adopt", alias / "deep", "--name", "x")
        finally:
            subprocess.run(["umount", alias], check=True)


class Stores(harness.StoreTest):
    def test_no_store(self):
        self.refused(FAILED, "", "user", "list", store=self.directory / "missing")
        self.refused(FAILED, "", "user", "add", "x", store=self.directory)
        done = self.run_cli("--store", self.directory / "missing", "user", "list")
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("missing", done.err)

    def test_not_a_database(self):
        broken = self.directory / "broken"
        shutil.copytree(self.store, broken)
        (broken / "guildfs.db").write_bytes(b"this is no database at all\n" * 500)
        for rest in ("guildfs.db-wal", "guildfs.db-shm"):
            (broken / rest).unlink(missing_ok=True)
        self.refused(FAILED, "", "user", "list", store=broken)
        self.refused(FAILED, "", "user", "add", "x", store=broken)
        (broken / "guildfs.db").write_bytes(b"")
        self.refused(FAILED, "", "user", "list", store=broken)

    def test_another_database(self):
        other = self.directory / "other"
        shutil.copytree(self.store, other)
        for rest in ("guildfs.db", "guildfs.db-wal", "guildfs.db-shm"):
            (other / rest).unlink(missing_ok=True)
        database = sqlite3.connect(other / "guildfs.db")
        database.execute("CREATE TABLE users (name TEXT)")
        database.commit()
        database.close()
        (other / "guildfs.db").chmod(0o600)
        self.refused(FAILED, "", "user", "list", store=other)

    def test_a_newer_schema(self):
        database = sqlite3.connect(self.store / "guildfs.db")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {version + 1}")
        database.commit()
        database.close()
        self.refused(FAILED, "newer", "user", "list")
        self.refused(FAILED, "newer", "user", "add", "x")

    def test_locked_by_another_process(self):
        database = sqlite3.connect(self.store / "guildfs.db", isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        try:
            done = self.run_cli("user", "add", "x")
            self.ok("user", "list")  # who only reads is not kept out
        finally:
            database.execute("ROLLBACK")
            database.close()
        self.assertEqual(done.returncode, FAILED)
        self.assertEqual(done.err.count("\n"), 1)
        self.ok("user", "add", "x")

    def test_writers_take_turns(self):
        failures = []

        def add(name):
            done = self.run_cli("user", "add", name)
            if done.returncode:
                failures.append(done.err)

        before = self.generation()
        threads = [threading.Thread(target=add, args=(f"u{i}",)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.generation(), before + 12)

    def test_who_is_not_root(self):
        program = Path(shutil.copy(harness.GUILDFS, self.directory / "guildfs"))
        self.directory.chmod(0o755)
        program.chmod(0o755)
        for words in (("user", "list"), ("user", "add", "x"), ("check", "bob", "stat", "x"),
                      ("init", self.directory / "new")):
            done = subprocess.run([program, *map(str, words)], user=65534, group=65534, extra_groups=[],
                                  env={"GUILDFS_STORE": str(self.store)}, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (FAILED, ""))
            self.assertIn("only root", done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)

    def test_a_reader_that_goes_away(self):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([harness.GUILDFS, "user", "list"], stdout=write, stderr=subprocess.PIPE, text=True,
                              env={"GUILDFS_STORE": str(self.store)})
        os.close(write)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("cannot write", done.stderr)


if __name__ == "__main__":
    harness.main()
