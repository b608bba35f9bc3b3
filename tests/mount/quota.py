#!/usr/bin/env python3
"""Quotas and statfs."""

import os
from errno import EDQUOT, ENOENT

import boot  # noqa: F401
import calls
import guild

KIBI, MEBI = 1 << 10, 1 << 20


def free(user, path):
    st = user.call(os.statvfs, path)
    return st.f_blocks * st.f_frsize, st.f_bavail * st.f_frsize


def over(g, share, user):
    """Waits until the share counts as full."""
    probe = share.at(user, "probe")

    def full():
        if user.errno(os.mkdir, probe) == EDQUOT:
            return True
        user.call(os.rmdir, probe)
        return False

    guild.eventually(full, "the share counts as full")


def prepared(g, name):
    """A backing folder to put files into before anybody counts them."""
    return guild.make_folder(g.backing / name, 0o777)


def test_statfs_tells_quota_and_usage(g):
    folder = prepared(g, "told")
    guild.make_file(folder / "f", b"x" * MEBI)
    share = g.share("told", settings=["quota=10M"], backing=folder, alice="editor")
    guild.eventually(lambda: free(g.alice, share.at(g.alice))[0] == 10 * MEBI, "size is the quota")
    guild.eventually(lambda: abs(free(g.alice, share.at(g.alice))[1] - 9 * MEBI) < 64 * KIBI, "free is what remains")
    g.alice.call(calls.write_file, share.at(g.alice, "g"), b"x" * MEBI)
    guild.eventually(lambda: abs(free(g.alice, share.at(g.alice))[1] - 8 * MEBI) < 64 * KIBI, "after one more")
    g.alice.call(os.unlink, share.at(g.alice, "f"))
    guild.eventually(lambda: abs(free(g.alice, share.at(g.alice))[1] - 9 * MEBI) < 64 * KIBI, "after removing one")
    g.alice.call(os.truncate, share.at(g.alice, "g"), 0)
    guild.eventually(lambda: abs(free(g.alice, share.at(g.alice))[1] - 10 * MEBI) < 64 * KIBI, "after emptying one")


def test_without_quota(g):
    share = g.share("none", alice="view")
    size, _ = free(g.alice, share.at(g.alice))
    st = os.statvfs(share.backing)
    guild.equal(size, st.f_blocks * st.f_frsize, "the backing filesystem's size")


def test_statfs_needs_view(g):
    share = g.share("blind", alice="editor", bob="dropbox")
    guild.outcome(g.bob, ENOENT, os.statvfs, share.at(g.bob))
    guild.equal(g.alice.call(os.statvfs, share.at(g.alice)).f_flag & os.ST_RDONLY, 0, "not read-only")


def write_at(fd, size, offset):
    return os.pwrite(fd, b"x" * size, offset)


def test_over_quota(g):
    folder = prepared(g, "over")
    guild.make_file(folder / "old", b"x" * 100 * KIBI, 0o666)
    share = g.share("over", settings=["quota=1M"], backing=folder, alice="editor")
    path = share.at(g.alice, "new")
    early = g.alice.call(os.open, path, os.O_WRONLY | os.O_CREAT, 0o644)
    g.alice.call(write_at, early, 2 * MEBI, 0)
    over(g, share, g.alice)
    # What was open before it was full may finish.
    g.alice.call(write_at, early, 100 * KIBI, 2 * MEBI)
    for function, arguments in ((calls.write_file, (path + "2", b"x")), (os.mkdir, (path + "3",)),
                                (os.symlink, ("x", path + "4")),
                                (calls.open_tmpfile, (share.at(g.alice),)), (os.mknod, (path + "5",))):
        guild.outcome(g.alice, EDQUOT, function, *arguments)
    late = g.alice.call(os.open, share.at(g.alice, "old"), os.O_WRONLY)
    guild.equal(g.alice.call(write_at, late, KIBI, 0), KIBI, "bytes written in place")
    guild.outcome(g.alice, EDQUOT, write_at, late, KIBI, 100 * KIBI)
    guild.outcome(g.alice, EDQUOT, os.ftruncate, late, MEBI)
    guild.outcome(g.alice, EDQUOT, calls.fallocate, late, 0, 0, MEBI)
    guild.equal(os.stat(share.backing / "old").st_size, 100 * KIBI, "size of what may not grow")
    g.alice.call(os.close, late)
    # Renaming, and making room, go on.
    g.alice.call(os.rename, share.at(g.alice, "old"), share.at(g.alice, "older"))
    g.alice.call(os.close, early)
    g.alice.call(os.truncate, path, 0)
    guild.eventually(lambda: g.alice.errno(calls.write_file, path + "2", b"x", os.O_WRONLY | os.O_CREAT) == 0,
                     "room again")


def test_it_counts_what_is_there_at_the_start(g):
    share = g.share("restart", settings=["quota=1M"], alice="editor")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"x" * 2 * MEBI)
    g.remount()
    guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice)) == 0, "mounted again")
    over(g, share, g.alice)


def test_a_link_counts_once(g):
    folder = prepared(g, "linked")
    guild.make_file(folder / "a", b"x" * 400 * KIBI)
    for number in range(10):
        os.link(folder / "a", folder / f"a{number}")
    share = g.share("linked", settings=["quota=1M"], backing=folder, alice="editor")
    guild.eventually(lambda: abs(free(g.alice, share.at(g.alice))[1] - 624 * KIBI) < 64 * KIBI, "counted once")
    g.alice.call(os.unlink, share.at(g.alice, "a"))
    guild.true(abs(free(g.alice, share.at(g.alice))[1] - 624 * KIBI) < 64 * KIBI, "still there by other names")


def test_changing_the_quota(g):
    share = g.share("changed", settings=["quota=1M"], alice="editor")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"x" * 2 * MEBI)
    over(g, share, g.alice)
    g.cli("share", "set", share.ref, "quota=none")
    guild.eventually(lambda: g.alice.errno(os.mkdir, share.at(g.alice, "d")) == 0, "no quota any more")


guild.main()
