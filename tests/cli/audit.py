#!/usr/bin/env python3
"""guildfs audit on a store and on a log that was put there: filters, times, exit codes, what it prints."""

import json
import unittest

import harness
from harness import DENIED, FAILED, USAGE


def record(share, seconds, **members):
    base = {"time": f"2026-03-01T12:00:{seconds:02}.000000000Z", "event": "access", "outcome": "allowed",
            "operation": "mkdir", "user": "alice", "user_uuid": "nobody", "share": "atlas", "share_uuid": share["uuid"],
            "path": "d", "pid": 7, "process": "mkdir", "authorizations": []}
    return json.dumps(base | members) + "\n"


class Audit(harness.StoreTest):
    def setUp(self):
        super().setUp()
        self.ok("share", "add", "atlas")
        self.ok("grant", "user:bob", "atlas", "reader")
        self.share = self.json("share", "show", "atlas")
        self.bob = self.json("user", "show", "bob")
        self.log = self.store / "audit"
        self.log.mkdir(mode=0o700)

    def put(self, name, *lines):
        with open(self.log / name, "a") as file:
            file.write("".join(lines))

    def audit(self, *words):
        return self.json("audit", *words)

    def test_the_store_alone(self):
        found = self.audit()
        self.assertEqual([each["operation"] for each in found],
                         ["store.init", "user.add", "user.add", "share.add", "grant.set"])
        self.assertEqual({each["source"] for each in found}, {"store"})
        self.assertEqual(found[-1]["object"], {"kind": "share", "id": 1, "name": "atlas"})
        self.assertEqual(found[-1]["after"]["perms"], "view,download")
        self.assertIn("cli tty=", found[-1]["origin"])
        self.assertEqual(self.audit("--files-only"), [])

    def test_filters_of_the_store(self):
        self.assertEqual([each["operation"] for each in self.audit("--user", "bob")], ["user.add", "grant.set"])
        self.assertEqual([each["operation"] for each in self.audit("--user", "alice")], ["user.add"])
        self.assertEqual([each["operation"] for each in self.audit("--share", "atlas")], ["share.add", "grant.set"])
        self.assertEqual([each["operation"] for each in self.audit("--operation", "user.add")], ["user.add"] * 2)
        self.assertEqual(self.audit("--denied"), [])
        self.assertEqual(self.audit("--path", "d"), [])
        self.assertEqual(self.audit("--until", "1h"), [])
        self.assertEqual(len(self.audit("--since", "1h")), 5)
        self.assertEqual(len(self.audit("--since", "-1h")), 5)

    def test_files_are_taken_together_by_time(self):
        share = self.share
        self.put("files-0.000001.jsonl", record(share, 1), record(share, 4))
        self.put("files-0.jsonl", record(share, 5))
        self.put("files-1.jsonl", record(share, 3), record(share, 2))
        found = self.audit("--files-only")
        self.assertEqual([each["time"][17:19] for each in found], ["01", "02", "03", "04", "05"])
        found = self.audit("--files-only", "--since", "2026-03-01T12:00:02Z", "--until", "2026-03-01T13:00:03+01:00")
        self.assertEqual([each["time"][17:19] for each in found], ["02", "03"])

    def test_filters_of_files(self):
        share = self.share
        self.put("files-0.jsonl",
                 record(share, 1, outcome="denied", error="EACCES", reason="missing", missing=["make-folder"]),
                 record(share, 2, user_uuid=self.bob["uuid"], user="robert"),
                 record(share, 3, operation="rename", path="a/b", new_path="d/e/f"),
                 record(share, 4, share_uuid="another"),
                 record(share, 5, path="\ufffd", path_base64="/w=="))

        def seconds(*words):
            return [int(each["time"][17:19]) for each in self.audit("--files-only", *words)]

        self.assertEqual(seconds("--denied"), [1])
        self.assertEqual(seconds("--user", "bob"), [2], "by identity: he was called otherwise then")
        self.assertEqual(seconds("--operation", "rename"), [3])
        self.assertEqual(seconds("--share", "atlas"), [1, 2, 3, 5])
        self.assertEqual(seconds("--share", share["uuid"], "--denied"), [1])
        self.assertEqual(seconds("--path", "d"), [1, 2, 3, 4])
        self.assertEqual(seconds("--path", "d/e/"), [3])
        self.assertEqual(seconds("--path", "d/*"), [3])
        self.assertEqual(seconds("--path", "a/?"), [3])
        self.assertEqual(seconds("--path", b"\xff"), [5])
        self.assertEqual(seconds("--path", "\ufffd"), [])

    def test_limit(self):
        self.put("files-0.jsonl", *[record(self.share, n % 60, path=str(n)) for n in range(3000)])
        done = self.run_cli("--json", "audit", "--files-only", "--limit", "7")
        self.assertEqual([each["time"][17:19] for each in json.loads(done.out)], ["59"] * 7)
        self.assertEqual([each["path"] for each in json.loads(done.out)], [str(59 + 60 * n) for n in range(43, 50)])
        self.assertEqual(done.err, "guildfs: the newest 7 of 3000 are shown; see --limit\n")
        self.assertEqual(len(self.audit("--files-only", "--limit", "none")), 3000)

    def test_what_is_damaged_is_left_out_and_said(self):
        self.put("files-0.jsonl", "nonsense\n", record(self.share, 1), '{"time":"2026-03-01T12:00:02.00000')
        done = self.run_cli("--json", "audit", "--files-only")
        self.assertEqual((done.returncode, len(json.loads(done.out))), (0, 1))
        self.assertEqual(done.err, "guildfs: 2 damaged lines of the log were left out\n")

    def test_for_people(self):
        self.put("files-0.jsonl",
                 record(self.share, 1, outcome="denied", error="EACCES", reason="missing", missing=["delete"],
                        operation="unlink", path="a\u001b[31m\nb\\", repeated=4,
                        authorizations=[{"via": "group g", "perms": ["view", "download"]}]),
                 record(self.share, 2, operation="rename", path="x", new_path="y"))
        lines = self.ok("audit", "--files-only").splitlines()
        self.assertEqual(lines[0].split(), ["TIME", "OUTCOME", "OPERATION", "USER", "WHAT", "PROCESS", "WHY"])
        self.assertEqual([" ".join(line.split()) for line in lines[1:]],
                         ["2026-03-01T12:00:01.000000000Z denied EACCES x4 unlink alice "
                          r"atlas:a\x1b[31m\x0ab\\ mkdir[7] missing delete; group g: view,download",
                          "2026-03-01T12:00:02.000000000Z allowed rename alice atlas:x -> y mkdir[7] -"])

    def test_wrong_questions(self):
        self.refused(USAGE, "nothing to search", "audit", "--files-only", "--store-only")
        self.refused(USAGE, "is no operation", "audit", "--operation", "frobnicate")
        self.refused(USAGE, "is no time", "audit", "--since", "yesterday")
        self.refused(USAGE, "at least 1", "audit", "--limit", "0")
        self.refused(USAGE, "at least 1", "audit", "--limit", "-1")
        self.refused(FAILED, "no user", "audit", "--user", "carol")
        self.refused(FAILED, "no share", "audit", "--share", "none")

    def test_who_may_read_it(self):
        self.put("files-0.jsonl", record(self.share, 1))
        self.refused(DENIED, "", "audit", "--as", "alice")
        self.refused(DENIED, "", "audit", "--files-only", "--as", "alice")


if __name__ == "__main__":
    harness.main()
