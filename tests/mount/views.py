#!/usr/bin/env python3
"""The tree of a view: groups, kinds, my, public; and that nobody enters another's."""

import os
import stat
from errno import EACCES, EBUSY, ENOENT, ENOTEMPTY, EPERM, EROFS, EXDEV

import boot  # noqa: F401
import calls
import guild
import worker

REFUSED = (EACCES, EPERM, EROFS)


def listing(user, *parts):
    return user.call(calls.listdir_sorted, str(user.view.joinpath(*parts)))


def test_an_empty_view_has_no_group(g):
    true_names = set(listing(g.carol))
    guild.true(true_names <= {"my", "public"}, f"a view without groups holds my and public at most, not {true_names}")


def test_groups_show_to_their_members_only(g):
    """SS-32, SS-25: a member sees the kinds that hold something."""
    g.add_group("genomics", alice="owner", bob="member")
    g.share("atlas", group="genomics", alice="view", bob="view,download")
    g.share("reads", group="genomics", kind="volume", bob="view")
    guild.eventually(lambda: "genomics" in listing(g.bob), "bob sees his group")
    guild.equal(listing(g.bob, "genomics"), ["files", "volumes"], "kinds that bob sees")
    guild.equal(listing(g.bob, "genomics", "files"), ["atlas"], "files")
    guild.equal(listing(g.bob, "genomics", "volumes"), ["reads"], "volumes")
    guild.true("genomics" not in listing(g.carol), "carol does not see the group")
    guild.outcome(g.carol, ENOENT, os.stat, str(g.carol.view / "genomics"))
    guild.outcome(g.carol, ENOENT, os.stat, str(g.carol.view / "genomics/files/atlas"))


def test_owners_and_admins_see_every_kind(g):
    """SS-26."""
    guild.equal(listing(g.alice, "genomics"), ["capsules", "databases", "files", "images", "volumes"], "kinds")
    guild.equal(listing(g.alice, "genomics", "databases"), [], "databases")


def test_a_grant_on_a_groups_share_shows_under_my_to_others(g):
    g.grant("carol", guild.Share(g, "atlas", g.backing / "atlas", "genomics", "files"), "view")
    path = str(g.carol.view / "my/files/atlas")
    guild.eventually(lambda: not g.carol.errno(os.stat, path), "carol sees the share under my")
    guild.true("genomics" not in listing(g.carol), "but not the group")


def test_everyone_shows_under_public(g):
    share = g.share("sky", kind="volume", wait=False)
    g.cli("grant", "everyone", f"share:{share.ref}", "view,download")
    guild.make_file(share.backing / "star", b"light")
    for user in (g.alice, g.bob, g.carol):
        path = share.at(user, "star", place="public")
        guild.eventually(lambda: not user.errno(os.stat, path), f"{user.name} sees the public volume")
        guild.equal(user.call(calls.read_file, path), b"light", "content")
        guild.outcome(user, REFUSED, calls.write_file, path, b"x", os.O_WRONLY)


def test_rights_do_not_depend_on_the_path(g):
    """The union counts, by whichever way the share is reached."""
    share = g.share("both", group="genomics", bob="view")
    g.cli("grant", "group:genomics", f"share:{share.ref}", "download")
    guild.make_file(share.backing / "x", b"text")
    path = share.at(g.bob, "x")
    guild.eventually(lambda: g.bob.attempt(calls.read_file, path) == (0, b"text"),
                     "view from one, download from another")


def test_the_user_owns_everything_shown(g):
    share = g.share("owned", alice="view,download,upload,make-folder")
    guild.make_file(share.backing / "f", mode=0o666)
    guild.make_folder(share.backing / "d", 0o777)
    for path in (str(g.alice.view), share.at(g.alice), share.at(g.alice, "f"), share.at(g.alice, "d")):
        mode, _, _, uid, gid, _, _ = g.alice.call(calls.stat_tuple, path)
        guild.equal((uid, gid), (g.alice.uid, g.alice.gid), f"owner of {path}")
        guild.equal(mode & 0o077, 0, f"bits for group and others of {path}")
    guild.equal(stat.S_IMODE(os.stat(g.alice.view).st_mode) & 0o077, 0, "the gate of a view")


def test_nobody_enters_another_view(g):
    share = g.share("private", alice="view,download")
    guild.make_file(share.backing / "secret", b"secret")
    for path in (share.at(g.alice, "secret"), share.at(g.alice), str(g.alice.view / "my")):
        for function, arguments in ((os.stat, ()), (os.open, (os.O_RDONLY,)), (os.open, (os.O_PATH,)), (os.chdir, ())):
            guild.outcome(g.bob, (EACCES, ENOENT), function, path, *arguments)
    guild.outcome(g.bob, (EACCES, ENOENT), os.listdir, str(g.alice.view))
    guild.outcome(g.bob, (EACCES, ENOENT), os.chdir, str(g.alice.view))


def test_the_top_lists_ones_own_view(g):
    names = g.bob.call(calls.listdir_sorted, str(g.mountpoint))
    guild.equal(names, ["bob"], "what bob sees at the top")
    guild.true({"alice", "bob", "carol"} <= set(os.listdir(g.mountpoint)), "root sees all views at the top")
    guild.outcome(g.bob, (EACCES, ENOENT), os.stat, str(g.mountpoint / "nobody"))


def test_a_stranger_sees_nothing(g):
    stranger = worker.Worker(60999, 60999)
    guild.equal(stranger.attempt(os.listdir, str(g.mountpoint)), (0, []), "the top, for a uid that is no user")
    for name in ("alice", "bob"):
        guild.true(stranger.errno(os.listdir, str(g.mountpoint / name)) in (EACCES, ENOENT), "a view, for a stranger")
    stranger.close()


def test_the_frame_cannot_be_changed(g):
    """Groups, kinds and shares are made by administration, not by mkdir and rm."""
    share = g.share("fixed", group="genomics", alice="editor", bob="editor")
    for user in (g.alice, g.bob):
        frame = [user.view, user.view / "genomics", user.view / "genomics/files", user.view / "my"]
        for folder in frame:
            guild.outcome(user, REFUSED, os.mkdir, str(folder / "new"))
            guild.outcome(user, REFUSED, calls.write_file, str(folder / "new"))
            guild.outcome(user, REFUSED, os.symlink, "x", str(folder / "new"))
            guild.outcome(user, REFUSED, os.chmod, str(folder), 0o777)
        guild.outcome(user, (*REFUSED, EBUSY, ENOTEMPTY), os.rmdir, share.at(user))
        guild.outcome(user, (*REFUSED, EBUSY, EXDEV), os.rename, share.at(user), share.at(user) + "2")
    guild.true(share.backing.is_dir(), "the share's folder is still there")


def test_a_nested_share_has_its_own_rights(g):
    outer = g.share("outer", alice="view,download", bob="view,download")
    guild.make_folder(outer.backing / "inner", 0o777)
    guild.make_file(outer.backing / "inner/f", b"inner")
    g.cli("share", "add", "nested", "--in", f"{outer.ref}/inner")
    g.cli("grant", "user:alice", "share:nested", "upload")
    path = outer.at(g.alice, "inner", "new")
    guild.eventually(lambda: g.alice.errno(calls.write_file, path, b"x") == 0, "alice uploads to the nested share")
    guild.outcome(g.bob, EACCES, calls.write_file, outer.at(g.bob, "inner", "other"), b"x")
    guild.outcome(g.alice, EACCES, calls.write_file, outer.at(g.alice, "other"), b"x")
    guild.equal(g.bob.call(calls.read_file, outer.at(g.bob, "inner", "f")), b"inner", "inherited rights")


def test_a_suspended_user_has_nothing(g):
    share = g.share("closed", carol="view,download")
    guild.make_file(share.backing / "f", b"x")
    path = share.at(g.carol, "f")
    guild.equal(g.carol.call(calls.read_file, path), b"x", "before")
    g.cli("user", "set", "carol", "--status", "suspended")
    guild.eventually(lambda: g.carol.errno(os.stat, path) in (ENOENT, EACCES), "a suspended user is shut out")
    g.cli("user", "set", "carol", "--status", "active")
    guild.eventually(lambda: g.carol.errno(os.stat, path) == 0, "and let in again")


guild.main(users=["alice", "bob", "carol"])
