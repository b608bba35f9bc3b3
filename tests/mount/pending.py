#!/usr/bin/env python3
"""A pending upload: until when it is one, and what ends it early."""

import os
import time
from errno import EACCES, EROFS

import boot  # noqa: F401
import calls
import guild

CONTRIBUTOR = "contributor"


def upload(g, name, settings=()):
    """A share where bob, a contributor, has just uploaded "mine"."""
    share = g.share(name, alice="editor", bob=CONTRIBUTOR, settings=settings)
    path = share.at(g.bob, "mine")
    g.bob.call(calls.write_file, path, b"mine")
    return share, path


def may_change(g, path):
    """bob's errno for writing to it. In the same breath the mode bits must agree with it."""
    bits = g.bob.call(calls.stat_tuple, path)[0]
    result = g.bob.errno(calls.open_close, path, os.O_WRONLY)
    return result, bool(bits & 0o200)


def test_the_record(g):
    before = time.time_ns()
    share, _ = upload(g, "record")
    uuid, state, closed = guild.upload_record(share.backing / "mine")
    guild.equal((uuid, state), (g.bob.uuid, "pending"), "upload record")
    guild.true(before <= closed <= time.time_ns(), "closed just now")


def test_until_the_grace_period_is_over(g):
    share, path = upload(g, "grace", ["grace=90s"])
    guild.set_upload(share.backing / "mine", g.bob, age=60)
    guild.equal(may_change(g, path), (0, True), "within the grace period")
    guild.set_upload(share.backing / "mine", g.bob, age=100)
    guild.eventually(lambda: may_change(g, path) == (EACCES, False), "over, and the mode bits say so", 3)
    guild.outcome(g.bob, EACCES, os.unlink, path)
    guild.outcome(g.bob, EACCES, os.rename, path, path + "2")
    guild.outcome(g.bob, EACCES, os.chmod, path, 0o600)
    g.cli("share", "set", share.ref, "grace=10m")
    guild.eventually(lambda: may_change(g, path)[0] == 0, "a longer grace period counts at once")


def test_writing_starts_it_anew(g):
    share, path = upload(g, "anew", ["grace=90s"])
    guild.set_upload(share.backing / "mine", g.bob, age=80)
    before = time.time_ns()
    g.bob.call(calls.write_file, path, b"more", os.O_WRONLY | os.O_APPEND)
    # The record is written after close(2) has returned: the kernel does not wait for RELEASE.
    guild.eventually(lambda: guild.upload_record(share.backing / "mine")[2] >= before, "the last close counts")


def test_as_long_as_it_is_open(g):
    share, path = upload(g, "held", ["grace=90s"])
    fd = g.bob.call(os.open, path, os.O_WRONLY)
    guild.set_upload(share.backing / "mine", g.bob, age=200)
    g.bob.call(os.write, fd, b"still mine")
    guild.equal(g.bob.errno(os.chmod, path, 0o600), 0, "chmod while bob holds it open")
    g.bob.call(os.close, fd)
    guild.equal(may_change(g, path), (0, True), "right after the close")


def test_opening_to_read_does_not_prolong_it(g):
    share, path = upload(g, "read", ["grace=90s"])
    guild.set_upload(share.backing / "mine", g.bob, age=60)
    record = guild.upload_record(share.backing / "mine")
    g.bob.call(calls.read_file, path)
    g.bob.call(os.stat, path)
    guild.equal(guild.upload_record(share.backing / "mine"), record, "upload record")


def test_it_survives_a_restart(g):
    share, path = upload(g, "restart")
    g.remount()
    guild.equal(may_change(g, path), (0, True), "after a restart")
    g.bob.call(os.rename, path, path + ".2")
    g.bob.call(os.unlink, path + ".2")


def test_the_archive_ends_it(g):
    share, path = upload(g, "archive")
    g.cli("share", "set", share.ref, "state=archived")
    guild.eventually(lambda: g.bob.errno(os.chmod, path, 0o600) == EROFS, "archived: EROFS")
    g.cli("share", "set", share.ref, "state=active")
    new = share.at(g.bob, "new")
    guild.eventually(lambda: g.bob.errno(calls.write_file, new, b"x", os.O_WRONLY | os.O_CREAT) == 0, "active again")
    guild.equal(may_change(g, path), (EACCES, False), "what was pending before the archive")
    guild.equal(may_change(g, new), (0, True), "what was uploaded after it")


def test_losing_upload_ends_it(g):
    share, path = upload(g, "lost")
    g.revoke("bob", share, "upload")
    guild.eventually(lambda: may_change(g, path) == (EACCES, False), "without Upload")
    g.grant("bob", share, "upload")
    new = share.at(g.bob, "new")
    guild.eventually(lambda: g.bob.errno(calls.write_file, new, b"x", os.O_WRONLY | os.O_CREAT) == 0,
                     "with Upload again")
    guild.equal(may_change(g, path), (EACCES, False), "what was pending before Upload was lost")


def test_it_belongs_to_its_uploader(g):
    share, _ = upload(g, "whose")
    g.grant("carol", share, CONTRIBUTOR)
    path = share.at(g.carol, "mine")
    guild.eventually(lambda: g.carol.errno(os.stat, path) == 0, "carol sees it")
    for function, arguments in ((calls.open_close, (path, os.O_WRONLY)), (os.unlink, (path,)),
                                (os.rename, (path, path + "2")), (os.truncate, (path, 0))):
        guild.outcome(g.carol, EACCES, function, *arguments)


def test_anothers_change_settles_it(g):
    """Once an editor has written to it, it is no longer bob's draft alone."""
    share, path = upload(g, "settled")
    g.alice.call(calls.write_file, share.at(g.alice, "mine"), b"alice was here", os.O_WRONLY | os.O_TRUNC)
    guild.eventually(lambda: guild.upload_record(share.backing / "mine")[1] == "settled", "the record says settled")
    guild.eventually(lambda: may_change(g, path) == (EACCES, False), "bob may not change it any more", 3)


def test_a_forged_record_counts_for_nothing(g):
    share = g.share("forged", alice="editor", bob=CONTRIBUTOR)
    path = guild.make_file(share.backing / "old", b"old")
    shown = share.at(g.bob, "old")
    now = time.time_ns()
    for text in (b"", b"1", f"1 {g.bob.uuid} pending".encode(), f"2 {g.bob.uuid} pending {now}".encode(),
                 f"1 {g.bob.uuid} pending {now} x".encode(), f"1 {g.bob.uuid} Pending {now}".encode(),
                 f"1 {g.bob.uuid}x pending {now}".encode(), f"1 {g.bob.uuid} pending -1".encode(),
                 f"1 {g.bob.uuid} pending {10 ** 40}".encode(), b"\xff" * 200):
        os.setxattr(path, guild.UPLOAD_XATTR, text)
        guild.outcome(g.bob, EACCES, os.chmod, shown, 0o600)
        guild.outcome(g.bob, EACCES, os.unlink, shown)
    guild.outcome(g.bob, EACCES, os.setxattr, shown, "user.x", b"1")


def test_a_new_folder_until_something_is_in_it(g):
    share = g.share("folder", alice="editor", bob=CONTRIBUTOR)
    path = share.at(g.bob, "new")
    g.bob.call(os.mkdir, path)
    g.bob.call(os.rename, path, path + "er")
    path += "er"
    g.bob.call(os.chmod, path, 0o700)
    # Filled with what is one's own and pending, it is as new as it was.
    g.bob.call(calls.write_file, path + "/file", b"x")
    g.bob.call(os.utime, path, (1, 1))
    g.bob.call(os.rename, path, path + "est")
    path += "est"
    # With something of another's in it, it is a folder like any other.
    g.alice.call(calls.write_file, share.at(g.alice, "newerest") + "/alices", b"x")
    guild.outcome(g.bob, EACCES, os.rename, path, path + "er")
    guild.outcome(g.bob, EACCES, os.utime, path, (2, 2))
    g.alice.call(os.unlink, share.at(g.alice, "newerest") + "/alices")
    g.bob.call(os.unlink, path + "/file")
    g.bob.call(os.rmdir, path)


guild.main(users=["alice", "bob", "carol"])
