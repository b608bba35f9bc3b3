#!/usr/bin/env python3
"""--wait: when the command has ended, the change is in force. Nothing here polls."""

import os
import time
from errno import EACCES, ENOENT

import boot  # noqa: F401
import calls
import guild

ROUNDS = 30


def test_a_revocation_is_in_force(g):
    share = g.share("taken", alice="editor", bob="viewer")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"content")
    g.cli("grant", "user:bob", share.ref, "download", "--wait")
    path = share.at(g.bob, "f")
    for _ in range(ROUNDS):
        guild.equal(g.bob.attempt(calls.read_file, path), (0, b"content"), "granted")
        fd = g.bob.call(os.open, path, os.O_RDONLY)
        guild.equal(g.bob.call(os.pread, fd, 10, 0), b"content", "an open descriptor")
        g.cli("revoke", "user:bob", share.ref, "download", "--wait")
        guild.outcome(g.bob, EACCES, os.open, path, os.O_RDONLY)
        guild.outcome(g.bob, EACCES, os.pread, fd, 10, 0)
        g.bob.call(os.close, fd)
        g.cli("grant", "user:bob", share.ref, "download", "--wait")


def test_names_come_and_go(g):
    share = g.share("shown", alice="editor")
    path = share.at(g.bob)
    for _ in range(ROUNDS):
        guild.outcome(g.bob, ENOENT, os.stat, path)
        g.cli("grant", "user:bob", share.ref, "view", "--wait")
        g.bob.call(os.stat, path)
        g.cli("revoke", "user:bob", share.ref, "--wait")


def test_without_a_mount(g):
    share = g.share("unmounted", alice="editor")
    g.unmount()
    began = time.monotonic()
    g.cli("grant", "user:bob", share.ref, "view", "--wait")
    guild.true(time.monotonic() - began < 20, "nobody is waited for")
    g.mount()


guild.main()
