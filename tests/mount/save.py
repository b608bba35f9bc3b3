#!/usr/bin/env python3
"""How programs save: a temporary file and a rename. Who may, and what the saved file keeps."""

import os
import stat
from errno import EACCES, EXDEV

import boot  # noqa: F401
import calls
import guild


def save(path, data, suffix=".tmp"):
    """What editors do. Leaves nothing behind when it fails."""
    temporary = path + suffix
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
        os.fsync(fd)
        os.fchmod(fd, 0o644)
    finally:
        os.close(fd)
    try:
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def save_with_backup(path, data):
    """GTK's way: a hard link as the backup, and where that is refused the old file is renamed."""
    backup = path + "~"
    try:
        os.link(path, backup)
    except PermissionError:
        os.rename(path, backup)
    save(path, data)


def save_in_place(path, data):
    calls.write_file(path, data, os.O_WRONLY | os.O_TRUNC)


def lock_and_save(path, data):
    """git's way: an exclusive lock file becomes the file."""
    fd = os.open(path + ".lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    os.close(fd)
    os.rename(path + ".lock", path)


def fresh(g, name, bob, settings=()):
    share = g.share(name, alice="editor", bob=bob, settings=settings)
    path = guild.make_file(share.backing / "report", b"old")
    os.setxattr(path, "user.comment", b"kept")
    os.chown(path, 54321, 54321)
    guild.set_upload(path, g.carol, "settled")
    return share, share.at(g.bob, "report")


def content(share, name="report"):
    return (share.backing / name).read_bytes()


def leftovers(share):
    return sorted(os.listdir(share.backing))


def test_an_editor_saves_every_way(g):
    for number, way in enumerate((save, save_in_place, lock_and_save, save_with_backup)):
        share, path = fresh(g, f"editor-{number}", "editor")
        g.bob.call(way, path, b"new")
        guild.equal(content(share), b"new", way.__name__)


def test_upload_and_delete_suffice(g):
    """No Rename: saving is overwriting, whatever system calls it takes."""
    share, path = fresh(g, "enough", "view,upload,delete")
    g.bob.call(save, path, b"new")
    guild.equal((content(share), leftovers(share)), (b"new", ["report"]), "content and folder")


def test_a_contributor_saves_own_work_only(g):
    share, path = fresh(g, "contributor", "contributor")
    for way in (save, save_in_place):
        guild.outcome(g.bob, EACCES, way, path, b"new")
    guild.equal((content(share), leftovers(share)), (b"old", ["report"]), "content and folder")
    own = share.at(g.bob, "own")
    g.bob.call(calls.write_file, own, b"first")
    g.bob.call(save, own, b"second")
    g.bob.call(save, own, b"third")
    g.bob.call(lock_and_save, own, b"fourth")
    g.bob.call(save_in_place, own, b"fifth")
    guild.equal(content(share, "own"), b"fifth", "own work")
    guild.set_upload(share.backing / "own", g.bob, age=7200)
    guild.outcome(g.bob, EACCES, save, own, b"too late")
    guild.equal((content(share, "own"), leftovers(share)), (b"fifth", ["own", "report"]), "after the grace period")


def test_overwrite_by_upload(g):
    share, path = fresh(g, "overwrite", "contributor", ["overwrite=upload"])
    g.bob.call(save, path, b"new")
    g.bob.call(save_in_place, path, b"newer")
    guild.equal(content(share), b"newer", "content")
    guild.outcome(g.bob, EACCES, os.unlink, path)
    guild.make_file(share.backing / "other", b"other")
    guild.outcome(g.bob, EACCES, os.rename, path, share.at(g.bob, "other"))  # the source is not bob's new file


def test_the_saved_file_keeps_owner_and_xattrs(g):
    share, path = fresh(g, "keeps", "editor")
    g.bob.call(save, path, b"new")
    st = os.stat(share.backing / "report")
    guild.equal((st.st_uid, st.st_gid), (54321, 54321), "stored owner")
    guild.equal(os.getxattr(share.backing / "report", "user.comment"), b"kept", "xattr")
    uuid, state, _ = guild.upload_record(share.backing / "report")
    guild.equal((uuid, state), (g.carol.uuid, "settled"), "upload record")
    guild.equal(stat.S_IMODE(st.st_mode), 0o644, "mode")
    guild.equal(g.bob.call(os.getxattr, path, "user.guildfs.uploader"), b"carol", "uploader shown")
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "report")), b"new", "content for alice")


def test_ones_own_saved_draft_stays_a_draft(g):
    share = g.share("draft", alice="editor", bob="contributor")
    path = share.at(g.bob, "draft")
    g.bob.call(calls.write_file, path, b"1")
    g.bob.call(save, path, b"2")
    guild.equal(guild.upload_record(share.backing / "draft")[:2], (g.bob.uuid, "pending"), "upload record")
    g.bob.call(os.unlink, path)


def test_replacing_with_a_settled_file(g):
    """Not a save: Rename for the name, Delete and Upload for what is lost."""
    for number, (perms, want) in enumerate((("view,rename,upload,delete", 0), ("view,rename,upload", EACCES),
                                            ("view,rename,delete", EACCES), ("view,upload,delete", EACCES))):
        share, path = fresh(g, f"replace-{number}", perms)
        guild.make_file(share.backing / "other", b"other")
        guild.outcome(g.bob, want, os.rename, share.at(g.bob, "other"), path)
        guild.equal(content(share), b"old" if want else b"other", f"content with {perms}")


def test_between_shares_it_is_a_copy(g):
    first, path = fresh(g, "here", "editor")
    second, other = fresh(g, "there", "editor")
    for function in (os.rename, os.link):
        guild.outcome(g.bob, EXDEV, function, path, other + "2")
    guild.outcome(g.bob, EXDEV, calls.renameat2, path, other, calls.RENAME_EXCHANGE)
    guild.equal((content(first), content(second)), (b"old", b"old"), "contents")


guild.main(users=["alice", "bob", "carol"])
