#!/usr/bin/env python3
"""Files that were removed while somebody has them open."""

import os
from errno import EACCES, ENOENT

import boot  # noqa: F401
import calls
import guild


def fresh(g, name):
    share = g.share(name, alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"content", 0o666)
    return share


def opened(user, share):
    return user.call(os.open, share.at(user, "f"), os.O_RDWR)


def links(fd):
    return os.fstat(fd).st_nlink


def works(user, fd):
    """Everything that can be done by a descriptor."""
    guild.equal(user.call(os.pread, fd, 100, 0), b"content", "read")
    user.call(os.pwrite, fd, b"CONTENT", 0)
    guild.equal(user.call(os.pread, fd, 100, 0), b"CONTENT", "read what was written")
    user.call(os.ftruncate, fd, 3)
    user.call(os.fchmod, fd, 0o600)
    user.call(os.utime, fd)
    user.call(os.fsync, fd)
    guild.equal(user.call(links, fd), 0, "link count")


def test_by_oneself(g):
    share = fresh(g, "self")
    fd = opened(g.alice, share)
    g.alice.call(os.unlink, share.at(g.alice, "f"))
    guild.equal(os.listdir(share.backing), [], "no placeholder in the backing folder")
    works(g.alice, fd)
    g.alice.call(os.close, fd)


def test_by_another_view(g):
    share = fresh(g, "other")
    fd = opened(g.alice, share)
    g.bob.call(os.unlink, share.at(g.bob, "f"))
    guild.outcome(g.alice, ENOENT, os.stat, share.at(g.alice, "f"))
    works(g.alice, fd)


def test_by_a_save(g):
    share = fresh(g, "save")
    fd = opened(g.alice, share)
    g.bob.call(calls.write_file, share.at(g.bob, "f.tmp"), b"saved")
    g.bob.call(os.rename, share.at(g.bob, "f.tmp"), share.at(g.bob, "f"))
    works(g.alice, fd)
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "f")), b"saved", "by its name")


def test_behind_the_mount(g):
    share = fresh(g, "behind")
    fd = opened(g.alice, share)
    os.unlink(share.backing / "f")
    works(g.alice, fd)


def test_a_folder_one_stands_in(g):
    share = g.share("folder", alice="editor", bob="editor")
    guild.make_folder(share.backing / "d", 0o777)
    g.alice.call(os.chdir, share.at(g.alice, "d"))
    g.bob.call(os.rmdir, share.at(g.bob, "d"))
    guild.outcome(g.alice, ENOENT, calls.write_file, "new", b"x")
    guild.outcome(g.alice, (0, ENOENT), os.listdir, ".")
    g.alice.call(os.chdir, "/")


def test_the_name_is_free_at_once(g):
    share = fresh(g, "reuse")
    fd = opened(g.alice, share)
    for number in range(50):
        g.bob.call(os.unlink, share.at(g.bob, "f"))
        g.bob.call(calls.write_file, share.at(g.bob, "f"), b"%d" % number)
        guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "f")), b"%d" % number, "the new file")
    guild.equal(g.alice.call(os.pread, fd, 100, 0), b"content", "the old one")


def test_rights_are_still_asked(g):
    """A file without a name cannot be opened anew with more rights than it was opened with."""
    share = g.share("rights", alice="view,download", bob="editor")
    guild.make_file(share.backing / "f", b"content", 0o666)
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDONLY)
    g.bob.call(os.unlink, share.at(g.bob, "f"))
    guild.equal(g.alice.call(reopen, fd, os.O_RDONLY), b"content", "to read")
    guild.outcome(g.alice, EACCES, reopen, fd, os.O_RDWR)


def reopen(fd, flags):
    again = os.open(f"/proc/self/fd/{fd}", flags)
    try:
        return os.read(again, 100)
    finally:
        os.close(again)


guild.main()
