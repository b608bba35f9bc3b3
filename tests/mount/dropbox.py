#!/usr/bin/env python3
"""A drop box: Upload and Make Folder without View. Hands in, sees nothing but one's own."""

import os
import subprocess
from errno import EACCES, EEXIST, ENOENT

import boot  # noqa: F401
import calls
import guild


def fresh(g, name, bob="dropbox", carol="dropbox"):
    share = g.share(name, alice="editor", bob=bob, carol=carol)
    guild.make_file(share.backing / "old", b"old")
    guild.make_folder(share.backing / "folder", 0o777)
    return share


def names(user, share, *parts):
    return user.call(calls.listdir_sorted, share.at(user, *parts))


def copy_tree(source, target):
    """cp(1). Its exit status and what it complained about."""
    done = subprocess.run(["cp", "-r", source, target], capture_output=True, text=True)
    return done.returncode, done.stderr


def test_only_ones_own_items_show(g):
    share = fresh(g, "own-only")
    guild.equal(names(g.bob, share), [], "bob's listing before he hands in")
    g.bob.call(calls.write_file, share.at(g.bob, "bobs"), b"from bob")
    g.carol.call(calls.write_file, share.at(g.carol, "carols"), b"from carol")
    guild.equal(names(g.bob, share), ["bobs"], "bob's listing")
    guild.equal(names(g.carol, share), ["carols"], "carol's listing")
    guild.equal(names(g.alice, share), ["bobs", "carols", "folder", "old"], "alice's listing")
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "bobs")), b"from bob", "content")
    for hidden in ("carols", "old", "folder", "nothing"):
        guild.outcome(g.bob, ENOENT, os.stat, share.at(g.bob, hidden))
        guild.outcome(g.bob, ENOENT, os.unlink, share.at(g.bob, hidden))
        guild.outcome(g.bob, ENOENT, os.open, share.at(g.bob, hidden), os.O_RDONLY)


def test_a_taken_name(g):
    share = fresh(g, "taken")
    path = share.at(g.bob, "old")
    guild.outcome(g.bob, EEXIST, calls.write_file, path, b"x")
    guild.outcome(g.bob, EACCES, calls.write_file, path, b"x", os.O_WRONLY | os.O_CREAT)
    guild.outcome(g.bob, EACCES, calls.write_file, path, b"x", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for function, arguments in ((os.mkdir, (path,)), (os.symlink, ("x", path)),
                                (os.mkdir, (share.at(g.bob, "folder"),))):
        guild.outcome(g.bob, EEXIST, function, *arguments)
    guild.outcome(g.bob, ENOENT, os.stat, path)
    guild.equal((share.backing / "old").read_bytes(), b"old", "content")


def test_a_taken_name_does_not_show_to_who_may_not_add(g):
    share = fresh(g, "no-oracle", bob="upload", carol="make-folder")
    for name in ("folder", "nothing"):
        guild.outcome(g.bob, EACCES, os.mkdir, share.at(g.bob, name))
    for name in ("old", "nothing"):
        guild.outcome(g.carol, EACCES, calls.write_file, share.at(g.carol, name), b"x")
        guild.outcome(g.carol, EACCES, os.symlink, "x", share.at(g.carol, name))


def test_correcting_what_one_handed_in(g):
    share = fresh(g, "correct")
    path = share.at(g.bob, "thesis")
    g.bob.call(calls.write_file, path, b"draft")
    guild.equal(g.bob.call(calls.stat_tuple, path)[1], 5, "size")
    guild.outcome(g.bob, EACCES, os.open, path, os.O_RDONLY)  # reading back needs Download
    g.bob.call(calls.write_file, path, b"final version", os.O_WRONLY | os.O_TRUNC)
    g.bob.call(os.rename, path, share.at(g.bob, "thesis.txt"))
    g.bob.call(os.chmod, share.at(g.bob, "thesis.txt"), 0o600)
    guild.equal((share.backing / "thesis.txt").read_bytes(), b"final version", "content")
    g.bob.call(os.unlink, share.at(g.bob, "thesis.txt"))
    guild.true(not (share.backing / "thesis.txt").exists(), "the file is gone")


def test_a_tree_can_be_handed_in(g):
    share = fresh(g, "tree")
    source = guild.make_folder(g.dir / "source", 0o755)
    for path in ("a", "a/b", "a/b/c"):
        guild.make_folder(source / path)
        guild.make_file(source / path / "data", path.encode())
    os.symlink("a/data", source / "link")
    guild.equal(g.bob.call(copy_tree, str(source), share.at(g.bob, "handed-in")), (0, ""), "cp -r")
    guild.equal((share.backing / "handed-in/a/b/c/data").read_bytes(), b"a/b/c", "content")
    guild.equal(os.readlink(share.backing / "handed-in/link"), "a/data", "symlink")
    guild.equal(names(g.bob, share, "handed-in"), ["a", "link"], "bob's listing of his folder")
    guild.outcome(g.carol, ENOENT, os.stat, share.at(g.carol, "handed-in"))
    guild.outcome(g.carol, ENOENT, os.stat, share.at(g.carol, "handed-in", "a", "data"))


def test_anothers_item_in_ones_own_folder(g):
    """carol's file in bob's folder is hidden from bob, and the folder is not empty any more."""
    share = fresh(g, "mixed")
    g.bob.call(os.mkdir, share.at(g.bob, "bobs"))
    g.alice.call(calls.write_file, share.at(g.alice, "bobs", "alices"), b"x")
    guild.equal(names(g.bob, share, "bobs"), [], "bob's listing of his own folder")
    guild.outcome(g.bob, EACCES, os.rmdir, share.at(g.bob, "bobs"))
    guild.outcome(g.bob, EACCES, os.rename, share.at(g.bob, "bobs"), share.at(g.bob, "other"))
    guild.true((share.backing / "bobs/alices").exists(), "nothing was lost")


def test_it_closes_behind_what_is_over(g):
    share = fresh(g, "over")
    path = share.at(g.bob, "late")
    g.bob.call(calls.write_file, path, b"x")
    guild.set_upload(share.backing / "late", g.bob, age=7200)
    guild.eventually(lambda: g.bob.errno(os.stat, path) == ENOENT, "the item is hidden once it is not pending")
    guild.equal(names(g.bob, share), [], "bob's listing")
    guild.outcome(g.bob, EEXIST, calls.write_file, path, b"x")


def test_upload_alone_and_make_folder_alone(g):
    share = fresh(g, "halves", bob="upload", carol="make-folder")
    g.bob.call(calls.write_file, share.at(g.bob, "file"), b"x")
    guild.outcome(g.bob, EACCES, os.mkdir, share.at(g.bob, "f"))
    g.carol.call(os.mkdir, share.at(g.carol, "carols"))
    guild.outcome(g.carol, EACCES, calls.write_file, share.at(g.carol, "c"), b"x")
    guild.equal((names(g.bob, share), names(g.carol, share)), (["file"], ["carols"]), "listings")
    g.carol.call(os.rename, share.at(g.carol, "carols"), share.at(g.carol, "again"))
    g.carol.call(os.rmdir, share.at(g.carol, "again"))


guild.main(users=["alice", "bob", "carol"])
