#!/usr/bin/env python3
"""guildfs mount, umount and status, with stand-ins for the daemon: a bare FUSE mount that nobody
serves, and a control socket that says what a daemon would. Everything happens in a mount namespace of
its own."""

import ctypes
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import harness
from harness import DONE, FAILED, SKIP, USAGE

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter_namespace():
    call(libc.unshare, CLONE_NEWNS)
    call(libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    call(libc.mount, b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755")
    os.mkdir("/run/guildfs")
    # Other mounts of this machine are none of ours; only this namespace forgets them.
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if " - fuse.guildfs " in line:
            libc.umount2(os.fsencode(line.split()[4].encode().decode("unicode_escape")), MNT_DETACH)


class Mounts(harness.StoreTest):
    users = ()

    def setUp(self):
        super().setUp()
        self.mountpoint = self.directory / "mnt with blank"
        self.mountpoint.mkdir()
        self.fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0".encode()
        call(libc.mount, b"guildfs", os.fsencode(self.mountpoint), b"fuse.guildfs", 0, options)
        self.addCleanup(self.clean)

    def clean(self):
        self.die()
        libc.umount2(os.fsencode(self.mountpoint), MNT_DETACH)

    def die(self):
        if self.fuse >= 0:
            os.close(self.fuse)
            self.fuse = -1

    def device(self):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if " - fuse.guildfs " in line:
                return line.split()[2]
        return None

    def serve(self, answer, close=True):
        """A daemon's control socket for one question."""
        path = f"/run/guildfs/{self.device().replace(':', '-')}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        self.addCleanup(os.unlink, path)
        self.addCleanup(listener.close)

        def loop():
            kept = []
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self.asked = connection.recv(64)
                connection.sendall(answer)
                if close:
                    connection.close()
                else:
                    kept.append(connection)

        threading.Thread(target=loop, daemon=True).start()

    STATUS = {"version": "0.1.0", "pid": 4711, "store": "/var/lib/guildfs", "mountpoint": "/elsewhere",
              "generation": 12, "loaded": "2027-01-01T00:00:00Z", "last_read": "2027-01-01T00:00:01Z",
              "stale": False, "problem": "", "views": 3, "nodes": 10, "open_handles": 1, "requests": 99, "denied": 5}

    def test_a_daemon_that_serves(self):
        self.serve(json.dumps(self.STATUS).encode())
        listed = self.json("status")
        self.assertEqual(self.asked, b"status\n")
        self.assertEqual(len(listed), 1)
        self.assertEqual((listed[0]["mountpoint"], listed[0]["state"], listed[0]["pid"], listed[0]["generation"]),
                         (str(self.mountpoint), "serving", 4711, 12))
        self.assertEqual(self.json("status", self.mountpoint)["denied"], 5)
        self.assertIn("Generation", self.ok("status", self.mountpoint))
        self.assertEqual(self.ok("status").splitlines()[0].split()[:3], ["MOUNTPOINT", "STATE", "STORE"])

    def status(self, exit_code):
        done = self.run_cli("--json", "status")
        self.assertEqual((done.returncode, done.err), (exit_code, ""))
        return json.loads(done.out)[0]

    def test_a_daemon_that_is_stale(self):
        self.serve(json.dumps(dict(self.STATUS, stale=True, problem="cannot read the store")).encode())
        found = self.status(FAILED)
        self.assertEqual((found["state"], found["problem"]), ("stale", "cannot read the store"))

    def test_a_daemon_that_is_dead(self):
        self.die()
        found = self.status(FAILED)
        self.assertEqual(found["state"], "dead")
        self.assertIn(f"guildfs umount {self.mountpoint}", found["problem"])
        self.ok("umount", self.mountpoint)
        self.assertIsNone(self.device())
        self.assertEqual(self.json("status"), [])

    def test_a_daemon_that_hangs(self):
        start = time.monotonic()
        self.assertEqual(self.status(FAILED)["state"], "hangs")
        self.assertLess(time.monotonic() - start, 10)

    def test_a_daemon_that_accepts_and_says_nothing(self):
        self.serve(b"", close=False)
        start = time.monotonic()
        self.assertIn("does not answer", self.status(FAILED)["problem"])
        self.assertLess(time.monotonic() - start, 10)

    def test_a_daemon_that_talks_nonsense(self):
        self.serve(b"nonsense")
        self.assertEqual(self.status(FAILED)["state"], "hangs")

    def test_a_daemon_that_sends_no_object(self):
        self.serve(b"[1]")
        self.assertEqual(self.status(FAILED)["state"], "hangs")

    def test_a_daemon_that_never_stops_talking(self):
        self.serve(b"x" * 200000)
        self.assertEqual(self.status(FAILED)["state"], "hangs")

    def test_umount(self):
        self.refused(FAILED, "no guildfs mount", "umount", "/")
        self.refused(FAILED, "missing", "umount", self.directory / "missing")
        self.refused(FAILED, "no guildfs mount", "status", "/")
        self.assertEqual(self.json("umount", str(self.mountpoint) + "/")["unmounted"], str(self.mountpoint))
        self.refused(FAILED, "no guildfs mount", "umount", self.mountpoint)

    def test_umount_of_a_busy_mount(self):
        handle = os.open(self.mountpoint, os.O_PATH)
        try:
            self.refused(FAILED, "in use", "umount", self.mountpoint)
            self.ok("umount", "--lazy", self.mountpoint)
            self.assertIsNone(self.device())
        finally:
            os.close(handle)


class Start(unittest.TestCase):
    """guildfs mount starts the guildfsd that stands beside it, with the words it was given."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="guildfs-cli-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.program = self.directory / "guildfs"
        shutil.copy(harness.GUILDFS, self.program)
        daemon = self.directory / "guildfsd"
        daemon.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
        daemon.chmod(0o755)

    def run_cli(self, *words):
        return harness.subprocess.run([self.program, *words], capture_output=True, text=True)

    def test_words(self):
        done = self.run_cli("mount", "/store", "/mnt", "-o", "user=alice,uid=5", "-f")
        self.assertEqual((done.returncode, done.stdout.splitlines()),
                         (7, ["-f", "-o", "user=alice,uid=5", "--", "/store", "/mnt"]))
        self.assertEqual(self.run_cli("mount", "--", "-store", "-mnt").stdout.splitlines(), ["--", "-store", "-mnt"])

    def test_usage(self):
        self.assertEqual(self.run_cli("mount", "/store").returncode, USAGE)

    def test_no_daemon(self):
        (self.directory / "guildfsd").unlink()
        done = harness.subprocess.run([self.program, "mount", "/store", "/mnt"], capture_output=True, text=True,
                                      env={"PATH": "/nonexistent"})
        if done.returncode == FAILED and "is guildfsd installed" in done.stderr:
            self.assertEqual(done.stderr.count("\n"), 1)
        else:  # there is one installed on this machine
            directories = ("/usr/local/sbin", "/usr/sbin", "/usr/local/libexec", "/usr/libexec")
            self.assertTrue(any(Path(directory, "guildfsd").exists() for directory in directories))


if __name__ == "__main__":
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("needs root and /dev/fuse")
        sys.exit(1 if os.environ.get("GUILDFS_REQUIRE_MOUNT") == "1" else SKIP)
    enter_namespace()
    harness.main()
