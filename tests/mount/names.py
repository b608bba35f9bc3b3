#!/usr/bin/env python3
"""File names are bytes: what is stored is what shows, and nothing is taken for something else."""

import os
import random
import unicodedata
from errno import ENAMETOOLONG, ENOENT

import boot  # noqa: F401
import calls
import guild

NAMES = [
    "a" * 255, "ä" * 127 + "b", "\N{GRINNING FACE}" * 63, " ", "  leading", "trailing ", "trailing.", "...", "-rf",
    "new\nline", "tab\tstop", "bell\a", "back\\slash", "quote'\"", "*?[x]", "$(id)", "%s%n", "a\u202eb", "\x7f", "con",
    ".hidden", ".git", "#x#", "x~", "~", "nul:",
    os.fsdecode(b"latin1-\xe9"), os.fsdecode(b"\xff\xfe"), os.fsdecode(b"cut-\xc3"),
    unicodedata.normalize("NFC", "Zürich"), unicodedata.normalize("NFD", "Zürich"),
    "ZÜRICH", "zürich", "straße", "STRASSE",
    ".guildfs", "my", "public",
]


def share_of(g, name, perms="editor"):
    return g.share(name, alice=perms)


def test_every_name_comes_back_as_it_was(g):
    share = share_of(g, "bytes")
    for number, name in enumerate(NAMES):
        g.alice.call(calls.write_file, share.at(g.alice, name), b"%d" % number)
    guild.equal(g.alice.call(calls.listdir_sorted, share.at(g.alice)), sorted(NAMES), "names shown")
    guild.equal(sorted(os.listdir(share.backing)), sorted(NAMES), "names stored")
    for number, name in enumerate(NAMES):
        guild.equal(g.alice.call(calls.read_file, share.at(g.alice, name)), b"%d" % number, repr(name))
        g.alice.call(os.rename, share.at(g.alice, name), share.at(g.alice, "aside"))
        guild.outcome(g.alice, ENOENT, os.stat, share.at(g.alice, name))
        g.alice.call(os.rename, share.at(g.alice, "aside"), share.at(g.alice, name))
        g.alice.call(os.unlink, share.at(g.alice, name))
    guild.equal(os.listdir(share.backing), [], "left over")


def test_names_made_behind_the_mount(g):
    share = share_of(g, "behind", "view,download")
    for name in NAMES:
        guild.make_file(share.backing / name, name.encode(errors="surrogateescape"))
    guild.equal(g.alice.call(calls.listdir_sorted, share.at(g.alice)), sorted(NAMES), "names shown")
    for name in NAMES:
        guild.equal(g.alice.call(calls.read_file, share.at(g.alice, name)), name.encode(errors="surrogateescape"),
                    repr(name))


def test_folders_and_symlinks_too(g):
    share = share_of(g, "kinds")
    for name in NAMES:
        g.alice.call(os.mkdir, share.at(g.alice, name))
        g.alice.call(os.symlink, name, share.at(g.alice, name, name))
        guild.equal(g.alice.call(os.readlink, share.at(g.alice, name, name)), name, "symlink")


def test_case_and_normal_form_are_not_folded(g):
    share = share_of(g, "folded")
    for name, other in (("File", "file"), (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"))):
        g.alice.call(calls.write_file, share.at(g.alice, name), b"one")
        guild.outcome(g.alice, ENOENT, os.stat, share.at(g.alice, other))
        g.alice.call(calls.write_file, share.at(g.alice, other), b"other")
        guild.equal(g.alice.call(calls.read_file, share.at(g.alice, name)), b"one", name)
        g.alice.call(os.rename, share.at(g.alice, name), share.at(g.alice, other))


def test_too_long(g):
    share = share_of(g, "long")
    for path in (share.at(g.alice, "a" * 256), share.at(g.alice, "ä" * 128)):
        guild.outcome(g.alice, ENAMETOOLONG, os.stat, path)
        guild.outcome(g.alice, ENAMETOOLONG, calls.write_file, path)
        guild.outcome(g.alice, ENAMETOOLONG, os.mkdir, path)


def dig(top, name, depth):
    """Folders in folders, by relative steps; returns the depth reached."""
    os.chdir(top)
    for _ in range(depth):
        os.mkdir(name)
        os.chdir(name)
    calls.write_file("bottom", b"deep")
    os.chdir("/")
    return depth


def climb(top, name, depth):
    """Walks down what dig() made, reads the bottom, and takes everything away on the way up."""
    os.chdir(top)
    for _ in range(depth):
        os.chdir(name)
    data = calls.read_file("bottom")
    os.unlink("bottom")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir(name)
    os.chdir("/")
    return data


def test_deeper_than_a_path_can_say(g):
    share = share_of(g, "deep")
    name, depth = "d" * 200, 60  # 12,000 bytes; PATH_MAX is 4096
    g.alice.call(dig, share.at(g.alice), name, depth)
    g.remount()  # nothing of it in any cache
    guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice)) == 0, "the mount is back")
    guild.equal(g.alice.call(climb, share.at(g.alice), name, depth), b"deep", "content at the bottom")
    guild.equal(os.listdir(share.backing), [], "left over")


def test_random_bytes(g):
    share = share_of(g, "random")
    source = random.Random(20260101)
    alphabet = bytes(set(range(1, 256)) - {ord("/")})
    names = {os.fsdecode(bytes(source.choices(alphabet, k=source.randint(1, 255)))) for _ in range(300)} - {".", ".."}
    for name in names:
        g.alice.call(calls.write_file, share.at(g.alice, name))
    guild.equal(g.alice.call(calls.listdir_sorted, share.at(g.alice)), sorted(names), "names shown")


guild.main(users=["alice"])
