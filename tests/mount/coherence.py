#!/usr/bin/env python3
"""What alice changes, bob sees in his very next call, though his view has everything cached."""

import os
import stat
from errno import ENOENT

import boot  # noqa: F401
import calls
import guild

ROUNDS = 200


def fresh(g, name):
    share = g.share(name, alice="editor", bob="editor")
    return share, share.at(g.alice), share.at(g.bob)


def exists(user, path):
    return user.errno(os.lstat, path) == 0


def each_round(check):
    """Counts the rounds in which the other view was wrong; not one may be."""
    wrong = [number for number in range(ROUNDS) if not check(number)]
    guild.equal(len(wrong), 0, f"stale views in {ROUNDS} rounds, the first at {wrong[:5]}")


def test_create(g):
    _, mine, his = fresh(g, "create")

    def check(number):
        name = f"/f{number}"
        if exists(g.bob, his + name):  # now bob's view has cached that it is not there
            return False
        g.alice.call(calls.write_file, mine + name, b"x")
        return exists(g.bob, his + name) and name[1:] in g.bob.call(os.listdir, his)

    each_round(check)


def test_remove(g):
    share, mine, his = fresh(g, "remove")

    def check(number):
        name = f"/f{number}"
        g.alice.call(calls.write_file, mine + name, b"x")
        if not exists(g.bob, his + name):
            return False
        g.alice.call(os.unlink, mine + name)
        return g.bob.errno(os.lstat, his + name) == ENOENT and name[1:] not in g.bob.call(os.listdir, his)

    each_round(check)


def test_rename(g):
    _, mine, his = fresh(g, "rename")
    g.alice.call(calls.write_file, mine + "/f0", b"x")
    g.bob.call(os.stat, his + "/f0")

    def check(number):
        old, new = f"/f{number}", f"/f{number + 1}"
        if exists(g.bob, his + new):
            return False
        g.alice.call(os.rename, mine + old, mine + new)
        return not exists(g.bob, his + old) and exists(g.bob, his + new)

    each_round(check)


def test_replace(g):
    _, mine, his = fresh(g, "replace")
    g.alice.call(calls.write_file, mine + "/f", b"start")

    def check(number):
        g.bob.call(calls.read_file, his + "/f")
        g.alice.call(calls.write_file, mine + "/t", b"%d" % number)
        g.alice.call(os.rename, mine + "/t", mine + "/f")
        return g.bob.call(calls.read_file, his + "/f") == b"%d" % number and not exists(g.bob, his + "/t")

    each_round(check)


def test_write(g):
    """Through a descriptor that stays open, and size and content together."""
    _, mine, his = fresh(g, "write")
    fd = g.alice.call(os.open, mine + "/f", os.O_RDWR | os.O_CREAT, 0o644)
    reader = g.bob.call(os.open, his + "/f", os.O_RDONLY)

    def check(number):
        g.alice.call(os.pwrite, fd, b"%04d" % number, number * 4)
        size = g.bob.call(calls.stat_tuple, his + "/f")[1]
        return size == number * 4 + 4 and g.bob.call(os.pread, reader, 4, number * 4) == b"%04d" % number

    each_round(check)


def test_overwrite_in_place(g):
    """The size stays the same, so that only the content tells."""
    _, mine, his = fresh(g, "in-place")
    g.alice.call(calls.write_file, mine + "/f", b"....")

    def check(number):
        g.bob.call(calls.read_file, his + "/f")
        g.alice.call(calls.write_file, mine + "/f", b"%04d" % number, os.O_WRONLY)
        return g.bob.call(calls.read_file, his + "/f") == b"%04d" % number

    each_round(check)


def test_truncate(g):
    _, mine, his = fresh(g, "truncate")
    g.alice.call(calls.write_file, mine + "/f", b"x")

    def check(number):
        g.bob.call(os.stat, his + "/f")
        g.alice.call(os.truncate, mine + "/f", number)
        return g.bob.call(calls.stat_tuple, his + "/f")[1] == number

    each_round(check)


def test_chmod_and_times(g):
    _, mine, his = fresh(g, "attributes")
    g.alice.call(calls.write_file, mine + "/f", b"x")

    def check(number):
        g.bob.call(os.stat, his + "/f")
        mode = 0o600 if number % 2 else 0o400
        g.alice.call(os.chmod, mine + "/f", mode)
        g.alice.call(os.utime, mine + "/f", (number, number))
        found = g.bob.call(calls.stat_tuple, his + "/f")
        return stat.S_IMODE(found[0]) == mode and found[5] == number * 1_000_000_000

    each_round(check)


def test_folders(g):
    _, mine, his = fresh(g, "folders")

    def check(number):
        name = f"/d{number}"
        if exists(g.bob, his + name) or exists(g.bob, his + name + "/in"):
            return False
        g.alice.call(os.mkdir, mine + name)
        g.alice.call(calls.write_file, mine + name + "/in", b"x")
        if not exists(g.bob, his + name + "/in"):
            return False
        g.alice.call(os.rename, mine + name, mine + name + "-moved")
        if exists(g.bob, his + name) or not exists(g.bob, his + name + "-moved/in"):
            return False
        g.alice.call(os.unlink, mine + name + "-moved/in")
        g.alice.call(os.rmdir, mine + name + "-moved")
        return not exists(g.bob, his + name + "-moved")

    each_round(check)


def test_back_and_forth(g):
    """Both write in turn: each sees the other's last word."""
    _, mine, his = fresh(g, "turns")
    g.alice.call(calls.write_file, mine + "/f", b"0")

    def check(number):
        for user, own, other, seen in ((g.alice, mine, g.bob, his), (g.bob, his, g.alice, mine)):
            text = b"%s %d" % (user.name.encode(), number)
            user.call(calls.write_file, own + "/f", text, os.O_WRONLY | os.O_TRUNC)
            if other.call(calls.read_file, seen + "/f") != text:
                return False
        return True

    each_round(check)


def test_changes_behind_the_mount(g):
    """Another host, or root: within attr_timeout, a second by default."""
    share, _, his = fresh(g, "behind")
    guild.make_file(share.backing / "f", b"one")
    guild.equal(g.bob.call(calls.read_file, his + "/f"), b"one", "before")
    (share.backing / "f").write_bytes(b"and two")
    guild.eventually(lambda: g.bob.call(calls.read_file, his + "/f") == b"and two", "a changed file", 3)
    guild.make_file(share.backing / "g", b"x")
    guild.eventually(lambda: exists(g.bob, his + "/g"), "a new file", 3)
    os.unlink(share.backing / "f")
    guild.eventually(lambda: not exists(g.bob, his + "/f"), "a removed file", 3)


guild.main()
