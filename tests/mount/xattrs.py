#!/usr/bin/env python3
"""Extended attributes: a person's own, the ones that explain, and those of other namespaces."""

import os
from errno import EACCES, EEXIST, ENODATA, ENOENT, EOPNOTSUPP, EPERM, ERANGE

import boot  # noqa: F401
import calls
import guild
import operations

READ_ONLY = (EACCES, EPERM, EOPNOTSUPP)


def fresh(g, name, bob, owner=None):
    share = g.share(name, alice="editor", bob=bob, owner=owner)
    path = guild.make_file(share.backing / "f", b"content")
    os.setxattr(path, "user.note", b"hello")
    os.setxattr(path, "trusted.secret", b"internal")
    return share, share.at(g.bob, "f")


def text(user, path, name):
    return user.call(os.getxattr, path, f"user.guildfs.{name}").decode()


def test_ones_own(g):
    share, path = fresh(g, "own", "editor")
    g.bob.call(os.setxattr, path, "user.a", b"1")
    g.bob.call(os.setxattr, path, "user.a", b"2", os.XATTR_REPLACE)
    guild.outcome(g.bob, EEXIST, os.setxattr, path, "user.a", b"3", os.XATTR_CREATE)
    guild.outcome(g.bob, ENODATA, os.setxattr, path, "user.b", b"3", os.XATTR_REPLACE)
    guild.equal(g.bob.call(os.getxattr, path, "user.a"), b"2", "value")
    guild.equal(os.getxattr(share.backing / "f", "user.a"), b"2", "stored value")
    big = bytes(range(256)) * 8
    g.bob.call(os.setxattr, path, "user.big", big)
    guild.equal(g.bob.call(os.getxattr, path, "user.big"), big, "large value")
    g.bob.call(os.setxattr, path, "user.empty", b"")
    guild.equal(g.bob.call(os.getxattr, path, "user.empty"), b"", "empty value")
    g.bob.call(os.removexattr, path, "user.a")
    guild.outcome(g.bob, ENODATA, os.getxattr, path, "user.a")
    guild.outcome(g.bob, ENODATA, os.removexattr, path, "user.a")


def test_a_name_is_not_the_value(g):
    """View lists the names, Download reads the values."""
    _, path = fresh(g, "catalogue", "view")
    guild.true("user.note" in g.bob.call(os.listxattr, path), "the name is listed")
    guild.outcome(g.bob, EACCES, os.getxattr, path, "user.note")


def test_internal_names_do_not_show(g):
    _, path = fresh(g, "internal", "editor")
    for name in g.bob.call(os.listxattr, path):
        guild.true(name.startswith("user."), f"only user.* is listed, not {name}")
    for worker_uid in ("bob", "root"):
        process = g.bob.worker if worker_uid == "bob" else guild.worker.Worker(0, 0)
        for name in ("trusted.secret", guild.UPLOAD_XATTR, "trusted.overlay.opaque"):
            guild.true(process.errno(os.getxattr, path, name) in (EOPNOTSUPP, ENODATA, EPERM),
                       f"{worker_uid} reads {name}")
            guild.true(process.errno(os.setxattr, path, name, b"x") in (EOPNOTSUPP, EPERM), f"{worker_uid} sets {name}")
            guild.true(process.errno(os.removexattr, path, name) in (EOPNOTSUPP, EPERM), f"{worker_uid} removes {name}")


def test_other_namespaces_are_refused(g):
    share, path = fresh(g, "foreign", "editor")
    process = guild.worker.Worker(0, 0)
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    for name, value in (("security.capability", capability), ("security.ima", b"x"), ("trusted.x", b"x"),
                        ("security.selinux", b"x")):
        guild.equal(process.errno(os.setxattr, path, name, value), EOPNOTSUPP, f"root sets {name}")
        guild.true(g.bob.errno(os.setxattr, path, name, value) in (EOPNOTSUPP, EPERM), f"bob sets {name}")
    for name in ("system.posix_acl_access", "system.posix_acl_default"):
        guild.equal(process.errno(os.getxattr, path, name), EOPNOTSUPP, f"root reads {name}")
        guild.equal(g.bob.errno(os.getxattr, path, name), EOPNOTSUPP, f"bob reads {name}")
    guild.equal(g.bob.errno(os.setxattr, path, "system.posix_acl_access", operations.ACL), EOPNOTSUPP,
                "bob sets an ACL")
    guild.equal(sorted(os.listxattr(share.backing / "f")), ["trusted.secret", "user.note"], "stored names")
    process.close()


def test_permissions(g):
    _, path = fresh(g, "permissions", "view,download,rename")
    guild.equal(text(g.bob, path, "permissions"), "view,download,rename", "permissions")
    share, _ = fresh(g, "six", "none", owner="carol")
    guild.equal(text(g.carol, share.at(g.carol, "f"), "permissions"),
                "view,download,upload,rename,delete,make-folder", "an owner's permissions")


def test_share_and_uploader(g):
    share, path = fresh(g, "origin", "contributor")
    guild.true("origin" in text(g.bob, path, "share"), "user.guildfs.share names the share")
    g.alice.call(calls.write_file, share.at(g.alice, "new"), b"x")
    guild.equal(text(g.bob, share.at(g.bob, "new"), "uploader"), "alice", "uploader")
    guild.outcome(g.bob, ENODATA, os.getxattr, path, "user.guildfs.uploader")  # nobody is known to have uploaded it


def test_explanation(g):
    share, path = fresh(g, "explained", "view")
    g.add_group("readers", bob="member")
    g.cli("grant", "group:readers", f"share:{share.ref}", "download")
    path = share.at(g.bob, "f", place="readers")  # a share given to one's group shows in the group
    guild.eventually(lambda: g.bob.errno(os.stat, path) == 0, "the group's grant counts")
    guild.equal(text(g.bob, path, "permissions"), "view,download", "permissions")
    explanation = text(g.bob, path, "explain")
    guild.true("readers" in explanation, f"the explanation names the group: {explanation!r}")


def test_content_hash(g):
    share, path = fresh(g, "hash", "view,download")
    value = text(g.bob, path, "xxh3")
    guild.equal(len(value), 32, f"length of {value!r}")
    guild.make_file(share.backing / "same", b"content")
    guild.make_file(share.backing / "other", b"Content")
    guild.equal(text(g.bob, share.at(g.bob, "same"), "xxh3"), value, "the same content")
    guild.true(text(g.bob, share.at(g.bob, "other"), "xxh3") != value, "another content")
    catalogue, shown = fresh(g, "nohash", "view")
    guild.outcome(g.bob, EACCES, os.getxattr, shown, "user.guildfs.xxh3")


def test_ours_cannot_be_written(g):
    share, path = fresh(g, "readonly", "editor")
    for name in ("permissions", "explain", "share", "uploader", "xxh3", "whatever"):
        guild.outcome(g.bob, READ_ONLY, os.setxattr, path, f"user.guildfs.{name}", b"x")
        guild.outcome(g.bob, (*READ_ONLY, ENODATA), os.removexattr, path, f"user.guildfs.{name}")
    guild.outcome(g.bob, ENODATA, os.getxattr, path, "user.guildfs.whatever")
    guild.equal([name for name in os.listxattr(share.backing / "f") if "guildfs" in name], [], "stored")


def test_a_stored_name_of_ours_does_not_shine_through(g):
    share, path = fresh(g, "shadow", "view,download")
    os.setxattr(share.backing / "f", "user.guildfs.permissions", b"view,download,delete")
    os.setxattr(share.backing / "f", "user.guildfs.forged", b"x")
    guild.equal(text(g.bob, path, "permissions"), "view,download", "permissions")
    guild.outcome(g.bob, ENODATA, os.getxattr, path, "user.guildfs.forged")


def test_hidden(g):
    share, _ = fresh(g, "hidden", "dropbox")
    for name in ("user.note", "user.guildfs.permissions", "user.guildfs.xxh3"):
        for item in ("f", "nothing"):
            guild.outcome(g.bob, ENOENT, os.getxattr, share.at(g.bob, item), name)
    guild.outcome(g.bob, ENOENT, os.listxattr, share.at(g.bob, "f"))


def small_buffer(path, name, size):
    """getxattr(2) with a buffer of a given size."""
    buffer = calls.ctypes.create_string_buffer(size)
    return calls.check(calls.libc.getxattr(os.fsencode(path), name.encode(), buffer, size))


def test_sizes(g):
    _, path = fresh(g, "sizes", "view,download")
    for name in ("user.note", "user.guildfs.permissions"):
        length = len(g.bob.call(os.getxattr, path, name))
        guild.outcome(g.bob, ERANGE, small_buffer, path, name, length - 1)
        guild.equal(g.bob.call(small_buffer, path, name, length), length, "exact buffer")


guild.main(users=["alice", "bob", "carol"])
