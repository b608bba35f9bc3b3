#!/usr/bin/env python3
"""guildfs check and guildfs who, beyond what the cases (run-cases.py) ask: paths, forms, batches."""

import json
import os
import time

import harness
from harness import DENIED, DONE, FAILED, USAGE


class Check(harness.StoreTest):
    users = ("alice", "bob", "carol")

    def setUp(self):
        super().setUp()
        self.ok("group", "add", "genomics")
        self.ok("member", "add", "genomics", "alice")
        self.ok("share", "add", "atlas", "--group", "genomics")
        self.ok("grant", "group:genomics", "atlas", "view,download")
        self.ok("grant", "user:bob", "atlas", "dropbox")
        self.root = self.directory_of("atlas")
        (self.root / "folder").mkdir()
        (self.root / "folder" / "file").write_text("content")

    def answer(self, *words):
        done = self.run_cli("check", *words)
        self.assertEqual(done.err, "")
        return done.returncode, done.out.strip()

    def test_one_line(self):
        self.assertEqual(self.answer("alice", "open-read", "atlas/folder/file"), (DONE, "allowed"))
        self.assertEqual(self.answer("alice", "unlink", "atlas/folder/file"),
                         (DENIED, "denied EACCES alice lacks delete"))
        code, text = self.answer("bob", "stat", "atlas/folder/file")
        self.assertEqual((code, text.split()[:2]), (DENIED, ["denied", "ENOENT"]))
        self.assertEqual(self.answer("carol", "stat", "atlas")[0], DENIED)

    def test_forms_of_a_path(self):
        for path in ("atlas/folder/file", "genomics/files/atlas/folder/file", "atlas//folder/file/",
                     "/atlas/folder/file"):
            self.assertEqual(self.answer("alice", "open-read", path)[0], DONE, path)
        self.refused(USAGE, '".."', "check", "alice", "stat", "atlas/../atlas")
        self.refused(USAGE, "empty", "check", "alice", "stat", "/")

    def test_the_user_s_own_view(self):
        self.ok("share", "add", "notes", "--owner", "carol")
        self.assertEqual(self.answer("carol", "stat", "my/files/notes")[0], DONE)
        self.ok("share", "add", "leaflet")
        self.ok("grant", "everyone", "leaflet", "reader")
        self.assertEqual(self.answer("carol", "open-read", "public/files/leaflet")[0], DONE)

    def test_a_nested_share_judges_for_itself(self):
        self.ok("share", "add", "inner", "--in", "atlas/folder/inner")
        self.ok("grant", "user:alice", "inner", "editor")
        self.assertEqual(self.answer("alice", "create", "atlas/folder/inner/new")[0], DONE)
        self.assertEqual(self.answer("alice", "create", "inner/new")[0], DONE)
        self.assertEqual(self.answer("alice", "create", "atlas/folder/new")[0], DENIED)
        self.assertEqual(self.answer("alice", "link", "atlas/folder/inner", "--to", "atlas/x")[1].split()[1], "EXDEV")

    def test_symlinks_and_mounts_are_not_followed(self):
        (self.root / "link").symlink_to(self.root / "folder")
        self.assertEqual(self.answer("alice", "readlink", "atlas/link")[0], DONE)
        self.assertEqual(self.answer("alice", "stat", "atlas/link/file")[0], DENIED)
        (self.root / "up").symlink_to("/etc")
        self.assertEqual(self.answer("alice", "stat", "atlas/up/passwd")[0], DENIED)

    def test_json_and_explanation(self):
        done = self.run_cli("--json", "check", "alice", "unlink", "atlas/folder/file", "--explain")
        self.assertEqual(done.returncode, DENIED)
        said = json.loads(done.out)
        wanted = {"allowed": False, "errno": "EACCES", "reason": "missing", "missing": ["delete"],
                  "effective": ["view", "download"], "share": "genomics/files/atlas"}
        self.assertEqual({key: said[key] for key in wanted}, wanted)
        self.assertEqual([source["perms"] for source in said["sources"]], [["view", "download"]])
        self.assertIn("genomics", said["sources"][0]["via"])
        code, text = self.answer("alice", "unlink", "atlas/folder/file", "--explain")
        self.assertEqual(code, DENIED)
        self.assertIn("genomics", text)

    def test_pending(self):
        (self.root / "own").write_text("x")
        uuid = self.json("user", "show", "bob")["uuid"]
        record = lambda state, when: os.setxattr(self.root / "own", "trusted.guildfs.upload",
                                                 f"1 {uuid} {state} {when}".encode())
        record("pending", time.time_ns())
        self.assertEqual(self.answer("bob", "open-write", "atlas/own")[0], DONE)
        self.assertEqual(self.answer("bob", "rename", "atlas/own", "--to", "atlas/other")[0], DONE)
        record("settled", time.time_ns())
        self.assertEqual(self.answer("bob", "open-write", "atlas/own")[0], DENIED)
        record("pending", time.time_ns() - 3601 * 10**9)
        self.assertEqual(self.answer("bob", "open-write", "atlas/own")[0], DENIED)
        os.setxattr(self.root / "own", "trusted.guildfs.upload", b"nonsense")
        self.assertEqual(self.answer("bob", "open-write", "atlas/own")[0], DENIED)

    def test_quota(self):
        self.ok("grant", "user:alice", "atlas", "editor")
        self.ok("share", "set", "atlas", "quota=7")
        self.assertEqual(self.answer("alice", "create", "atlas/new")[1].split()[1], "EDQUOT")
        self.ok("share", "set", "atlas", "quota=8")
        self.assertEqual(self.answer("alice", "create", "atlas/new")[0], DONE)
        os.link(self.root / "folder" / "file", self.root / "again")
        self.assertEqual(self.answer("alice", "create", "atlas/new")[0], DONE, "a second name costs nothing")

    def test_a_share_whose_directory_is_gone(self):
        (self.root / "folder" / "file").unlink()
        (self.root / "folder").rmdir()
        self.root.rmdir()
        self.refused(FAILED, str(self.root), "check", "alice", "stat", "atlas")

    def test_batch(self):
        questions = "\n".join(["# questions", "", "alice open-read atlas/folder/file",
                               "alice unlink 'atlas/folder/file'",
                               'alice rename atlas/folder/file to "atlas/folder/a name"', "nobody stat atlas",
                               "alice stat", "alice stat 'atlas", "bob create atlas/new"])
        done = self.run_cli("check", "--batch", "-", stdin=questions.encode())
        self.assertEqual(done.returncode, FAILED, "two questions have no answer")
        answers = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([answer["line"] for answer in answers], [3, 4, 5, 6, 7, 8, 9])
        self.assertEqual([answer.get("allowed") for answer in answers], [True, False, False, None, None, None, True])
        self.assertEqual(answers[2]["to"], "atlas/folder/a name")
        self.assertEqual(answers[3]["error"]["code"], "ENOENT")
        path = self.directory / "questions"
        path.write_text("alice stat atlas\n")
        done = self.run_cli("check", "--batch", path, "--explain")
        self.assertEqual(done.returncode, DONE)
        self.assertIn("sources", json.loads(done.out))
        self.refused(FAILED, "cannot read", "check", "--batch", self.directory / "missing")
        self.refused(USAGE, "usage", "check", "--batch", path, "alice")


class Who(harness.StoreTest):
    users = ("alice", "bob", "carol", "dave")

    def test_everybody_and_why(self):
        self.ok("group", "add", "genomics")
        self.ok("member", "add", "genomics", "alice")
        self.ok("share", "add", "atlas", "--group", "genomics", "--owner", "bob")
        self.ok("grant", "group:genomics", "atlas", "view,upload")
        self.ok("grant", "user:alice", "atlas", "download")
        self.ok("grant", "user:dave", "atlas", "view")
        self.ok("user", "set", "dave", "--status", "suspended")
        found = {each["user"]: each for each in self.json("who", "atlas/some/path")}
        self.assertEqual(set(found), {"alice", "bob"})
        self.assertEqual(found["alice"]["perms"], ["view", "download", "upload"])
        self.assertEqual(len(found["alice"]["sources"]), 2)
        self.assertEqual(len(found["bob"]["perms"]), 6)
        self.assertIn("owner", found["bob"]["why"])
        lines = self.ok("who", "genomics/files/atlas").splitlines()
        self.assertEqual(lines[0].split(), ["USER", "PERMISSIONS", "WHY"])
        self.assertEqual(lines[1].split()[:2], ["alice", "view,download,upload"])


if __name__ == "__main__":
    harness.main()
