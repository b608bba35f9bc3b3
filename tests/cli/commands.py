#!/usr/bin/env python3
"""Every administrative command once: what it does, what it prints, one generation, one audit row."""

import json
import os
import stat
import unittest

import harness


class Users(harness.StoreTest):
    users = ()

    def test_add_show_set_list(self):
        self.assertEqual(self.changes_once("user", "add", "alice", "--uid", 5001, "--gid", 5002), "")
        alice = self.json("user", "show", "alice")
        self.assertEqual((alice["name"], alice["uid"], alice["gid"], alice["status"], alice["groups"]),
                         ("alice", 5001, 5002, "active", []))
        self.changes_once("user", "set", "alice", "--status", "suspended", "--uid", "none", "--gid", "none")
        changed = self.json("user", "show", "alice")
        self.assertEqual((changed["uid"], changed["status"], changed["uuid"]), (None, "suspended", alice["uuid"]))
        self.ok("user", "add", "bob")
        self.assertEqual([user["name"] for user in self.json("user", "list")], ["alice", "bob"])
        lines = self.ok("user", "list").splitlines()
        self.assertEqual(lines[0].split(), ["NAME", "UID", "GID", "STATUS"])
        self.assertEqual(lines[1].split(), ["alice", "-", "-", "suspended"])
        self.assertIn("Status  suspended\n", self.ok("user", "show", "alice"))

    def test_uid_comes_from_the_account(self):
        self.ok("user", "add", "daemon")
        self.ok("user", "add", "no-such-account-here")
        self.ok("user", "add", "other", "--uid", 7000)
        self.assertEqual(self.json("user", "show", "daemon")["uid"], 1)
        self.assertIsNone(self.json("user", "show", "no-such-account-here")["uid"])
        self.assertEqual(self.json("user", "show", "other")["gid"], 7000)

    def test_setting_what_is_so_already_changes_nothing(self):
        self.ok("user", "add", "alice")
        before = self.generation()
        self.ok("user", "set", "alice", "--status", "active")
        self.assertEqual(self.generation(), before)

    def test_add_answers_with_the_user(self):
        self.assertEqual(self.json("user", "add", "alice")["name"], "alice")

    def test_names_of_all_kinds(self):
        for name in ("Zoë Müller", "o'hara", '"quoted"', "a\\b", "-dash", "日本", "x" * 255, "ä" * 127):
            self.ok("user", "add", "--", name)
            self.assertEqual(self.json("user", "show", "--", name)["name"], name)


class Groups(harness.StoreTest):
    def test_group_and_members(self):
        self.changes_once("group", "add", "genomics")
        self.changes_once("member", "add", "genomics", "alice", "--role", "owner")
        self.changes_once("member", "add", "genomics", "bob", "--until", "+7d")
        members = {member["user"]: member for member in self.json("member", "list", "genomics")}
        self.assertEqual(members["alice"]["role"], "owner")
        self.assertEqual((members["bob"]["role"], members["bob"]["status"]), ("member", "accepted"))
        self.assertIsNotNone(members["bob"]["until"])
        self.changes_once("member", "add", "genomics", "bob", "--role", "admin")
        self.assertEqual(self.json("user", "show", "bob")["groups"], ["genomics"])
        group = self.json("group", "show", "genomics")
        self.assertEqual({m["user"]: m["role"] for m in group["members"]}, {"alice": "owner", "bob": "admin"})
        self.assertIn("alice (owner)", self.ok("group", "show", "genomics"))
        self.assertIn("genomics", [each["name"] for each in self.json("group", "list")])
        self.changes_once("member", "remove", "genomics", "bob")
        self.assertEqual([m["user"] for m in self.json("member", "list", "genomics")], ["alice"])
        self.assertEqual(self.ok("member", "list", "genomics").splitlines()[0].split(),
                         ["USER", "ROLE", "STATUS", "UNTIL"])

    def test_the_same_membership_twice_changes_nothing(self):
        self.ok("group", "add", "genomics")
        self.ok("member", "add", "genomics", "bob")
        before = self.generation()
        self.ok("member", "add", "genomics", "bob")
        self.assertEqual(self.generation(), before)


class Shares(harness.StoreTest):
    def setUp(self):
        super().setUp()
        self.ok("group", "add", "genomics")

    def test_add_makes_the_directory(self):
        self.changes_once("share", "add", "atlas", "--group", "genomics", "--owner", "alice", "--set", "quota=10G",
                          "--set", "grace=10m", "--set", "title=An atlas")
        share = self.json("share", "show", "atlas")
        wanted = {"name": "atlas", "kind": "files", "group": "genomics", "owner": "alice", "state": "active",
                  "quota": "10G", "quota_bytes": 10 << 30, "grace": "10m", "title": "An atlas", "overwrite": "delete",
                  "data": "revocable", "on_revoke": "poison", "node": "default", "grants": []}
        self.assertEqual({key: share[key] for key in wanted}, wanted)
        found = os.stat(share["directory"])
        self.assertTrue(stat.S_ISDIR(found.st_mode))
        self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o700, 0))
        self.assertEqual(share["directory"], f"{self.store}/data/{share['path']}")
        self.assertEqual([each["name"] for each in self.json("group", "show", "genomics")["members"]], [])
        self.assertEqual(self.json("group", "show", "genomics")["shares"], ["files/atlas"])

    def test_kinds_have_their_data_mode(self):
        for kind, mode in (("files", "revocable"), ("volume", "fast"), ("database", "revocable"), ("image", "fast")):
            self.assertEqual(self.json("share", "add", kind + "-share", "--kind", kind)["data"], mode)
        self.assertEqual(self.json("share", "add", "work", "--kind", "capsule", "--owner", "bob")["data"], "revocable")

    def test_set_every_key(self):
        self.ok("share", "add", "atlas")
        self.changes_once("share", "set", "atlas", "overwrite=upload", "grace=90s", "quota=500M", "state=archived",
                          "data=fast", "audit=changes", "on_revoke=kill", "title=Old", "owner=bob")
        share = self.json("share", "show", "atlas")
        self.assertEqual([share[key] for key in ("overwrite", "grace", "quota", "state", "data", "audit", "on_revoke",
                                                 "title", "owner")],
                         ["upload", "90s", "500M", "archived", "fast", "changes", "kill", "Old", "bob"])
        self.changes_once("share", "set", "atlas", "quota=none", "title=", "owner=none", "state=active")
        share = self.json("share", "show", "atlas")
        self.assertEqual([share[key] for key in ("quota", "title", "owner", "state")], [None, None, None, "active"])
        before = self.generation()
        self.ok("share", "set", "atlas", "state=active")
        self.assertEqual(self.generation(), before)

    def test_references(self):
        self.ok("group", "add", "physics")
        first = self.json("share", "add", "atlas", "--group", "genomics")
        second = self.json("share", "add", "atlas", "--group", "physics", "--kind", "volume")
        self.assertEqual(self.json("share", "show", "genomics/files/atlas")["uuid"], first["uuid"])
        self.assertEqual(self.json("share", "show", "physics/volumes/atlas")["uuid"], second["uuid"])
        self.assertEqual(self.json("share", "show", second["uuid"])["group"], "physics")
        self.refused(harness.USAGE, "genomics/files/atlas", "share", "show", "atlas")

    def test_nested(self):
        self.ok("share", "add", "atlas", "--group", "genomics")
        outer = self.directory_of("atlas")
        (outer / "sub").mkdir()
        (outer / "there").mkdir()
        inner = self.json("share", "add", "inner", "--in", "atlas/sub/inner")
        self.assertEqual((inner["in"], inner["directory"]), ("atlas", f"{outer}/sub/inner"))
        self.assertTrue((outer / "sub/inner").is_dir())
        self.ok("share", "add", "existing", "--in", "genomics/files/atlas/there")
        deep = self.json("share", "add", "deep", "--in", "atlas/sub/inner/deep")
        self.assertEqual(deep["in"], "inner")

    def test_list(self):
        self.ok("share", "add", "atlas", "--group", "genomics")
        self.ok("share", "add", "notes", "--owner", "bob")
        self.assertEqual({share["name"]: share["group"] for share in self.json("share", "list")},
                         {"atlas": "genomics", "notes": None})
        self.assertEqual(self.ok("share", "list").splitlines()[0].split(),
                         ["NAME", "KIND", "GROUP", "OWNER", "STATE", "QUOTA", "DATA", "DIRECTORY"])


class Grants(harness.StoreTest):
    def setUp(self):
        super().setUp()
        self.ok("group", "add", "genomics")
        self.ok("share", "add", "atlas", "--group", "genomics")

    def grants(self):
        return {grant["subject"]: grant["perms"] for grant in self.json("share", "show", "atlas")["grants"]}

    def test_grant_adds_and_revoke_takes(self):
        self.changes_once("grant", "user:bob", "atlas", "view")
        self.changes_once("grant", "user:bob", "share:genomics/files/atlas", "download, upload")
        self.assertEqual(self.grants(), {"user:bob": ["view", "download", "upload"]})
        before = self.generation()
        self.ok("grant", "user:bob", "atlas", "reader")
        self.assertEqual(self.generation(), before, "nothing new was given")
        self.changes_once("revoke", "user:bob", "atlas", "upload,delete")
        self.assertEqual(self.grants(), {"user:bob": ["view", "download"]})
        self.changes_once("revoke", "user:bob", "atlas")
        self.assertEqual(self.grants(), {})

    def test_every_subject(self):
        for subject in ("user:bob", "group:genomics", "organization:default", "everyone"):
            self.changes_once("grant", subject, "atlas", "viewer")
        self.assertEqual(set(self.grants()), {"user:bob", "group:genomics", "organization:default", "everyone"})

    def test_presets(self):
        for preset, count in (("viewer", 1), ("reader", 2), ("contributor", 4), ("editor", 6), ("dropbox", 2)):
            self.ok("grant", "user:bob", "atlas", preset)
            self.assertEqual(len(self.grants()["user:bob"]), count)
            self.ok("revoke", "user:bob", "atlas")

    def test_an_end(self):
        self.ok("grant", "user:bob", "atlas", "view", "--until", "2199-12-31T23:00:00+01:00")
        grant = self.json("share", "show", "atlas")["grants"][0]
        self.assertEqual(grant["until"], "2199-12-31T22:00:00Z")
        self.refused(harness.FAILED, "one end", "grant", "user:bob", "atlas", "download")
        self.ok("grant", "user:bob", "atlas", "view,download")
        self.assertIsNone(self.json("share", "show", "atlas")["grants"][0]["until"])

    def test_what_has_ended_does_not_come_back(self):
        self.ok("grant", "user:bob", "atlas", "delete", "--until", "+1s")
        with self.subTest("while it lasts"):
            self.assertEqual(self.grants(), {"user:bob": ["delete"]})
        import time
        time.sleep(1.1)
        self.ok("grant", "user:bob", "atlas", "view")
        self.assertEqual(self.grants(), {"user:bob": ["view"]})


class Audit(harness.StoreTest):
    def test_rows_say_who_what_and_from_where(self):
        self.ok("user", "set", "alice", "--status", "suspended")
        with self.database() as database:
            database.row_factory = harness.sqlite3.Row
            row = dict(database.execute("SELECT * FROM audit ORDER BY id DESC LIMIT 1").fetchone())
        text = json.dumps(row)
        self.assertIn("user.set", text)
        self.assertIn("alice", text)
        self.assertIn("pid=", text)
        self.assertIn("host=", text)
        self.assertIn("system", text)

    def test_before_and_after_are_json(self):
        self.ok("group", "add", "genomics")
        self.ok("share", "add", "atlas", "--group", "genomics")
        self.ok("share", "set", "atlas", "quota=1G")
        with self.database() as database:
            columns = [column[1] for column in database.execute("PRAGMA table_info(audit)")]
            before = next(column for column in columns if column.startswith("before"))
            after = next(column for column in columns if column.startswith("after"))
            row = database.execute(f"SELECT {before}, {after} FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        self.assertEqual((json.loads(row[0])["quota_bytes"], json.loads(row[1])["quota_bytes"]), (0, 1 << 30))


class Acting(harness.StoreTest):
    def test_who_is_no_administrator_is_denied(self):
        for words in (("user", "add", "carol"), ("user", "list"), ("group", "add", "g"), ("share", "list"),
                      ("check", "bob", "stat", "atlas"), ("who", "atlas"), ("init", self.directory / "new")):
            self.refused(harness.DENIED, "", "--as", "alice", *words)
        self.refused(harness.DENIED, "no system administrator", "--as", "alice", "user", "list")
        self.refused(harness.FAILED, "nobody-knows", "--as", "nobody-knows", "user", "list")


if __name__ == "__main__":
    harness.main()
