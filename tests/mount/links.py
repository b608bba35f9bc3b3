#!/usr/bin/env python3
"""Hard links: who may make them, and that every name is the same file."""

import os
from errno import EACCES, EPERM, EXDEV

import boot  # noqa: F401
import calls
import guild


def test_the_same_file(g):
    share = g.share("same", alice="view,download,upload,delete")
    guild.make_file(share.backing / "a", b"content", 0o666)
    path = share.at(g.alice, "a")
    g.alice.call(os.link, path, path + "2")
    first, second = (g.alice.call(calls.stat_tuple, each) for each in (path, path + "2"))
    guild.equal(first, second, "stat of both names")
    guild.equal(first[2], 2, "link count")
    g.alice.call(calls.write_file, path, b"CONTENT", os.O_WRONLY)
    guild.equal(g.alice.call(calls.read_file, path + "2"), b"CONTENT", "read by the other name")
    g.alice.call(os.unlink, path)
    guild.equal(g.alice.call(calls.read_file, path + "2"), b"CONTENT", "after the first name is gone")
    guild.equal(g.alice.call(calls.stat_tuple, path + "2")[2], 1, "link count")


def test_needs_all_three(g):
    for number, perms in enumerate(("view,download,upload", "view,download,delete", "view,upload,delete",
                                    "contributor")):
        share = g.share(f"needs-{number}", alice=perms)
        guild.make_file(share.backing / "a", b"x")
        guild.outcome(g.alice, EPERM, os.link, share.at(g.alice, "a"), share.at(g.alice, "b"))
        guild.equal(os.listdir(share.backing), ["a"], "names")


def test_links_made_behind_the_mount(g):
    share = g.share("behind", alice="view,download")
    guild.make_file(share.backing / "a", b"x")
    guild.make_folder(share.backing / "d")
    os.link(share.backing / "a", share.backing / "d/b")
    guild.equal(g.alice.call(calls.stat_tuple, share.at(g.alice, "a")),
                g.alice.call(calls.stat_tuple, share.at(g.alice, "d", "b")),
                "stat of both names")


def test_not_between_shares(g):
    first, second = g.share("one", alice="editor"), g.share("two", alice="editor")
    guild.make_file(first.backing / "a", b"x")
    guild.outcome(g.alice, EXDEV, os.link, first.at(g.alice, "a"), second.at(g.alice, "a"))


def test_a_link_does_not_carry_rights(g):
    """Two shares over one file: each name is judged by the share it is in."""
    strict, loose = g.share("strict", alice="view"), g.share("loose", alice="editor")
    guild.make_file(strict.backing / "a", b"secret")
    os.link(strict.backing / "a", loose.backing / "a")
    guild.equal(g.alice.call(calls.read_file, loose.at(g.alice, "a")), b"secret", "by the loose share")
    guild.outcome(g.alice, EACCES, calls.read_file, strict.at(g.alice, "a"))
    guild.outcome(g.alice, EACCES, calls.write_file, strict.at(g.alice, "a"), b"x", os.O_WRONLY)


guild.main(users=["alice"])
