#!/usr/bin/env python3
"""Rights that change while the mount is in use: given, they count in the next call; taken, too.

"Next" allows for the time that the daemon needs to hear of the change; the test prints it.
"""

import mmap
import os
import statistics
from errno import EACCES, EBADF, EIO, ENOENT

import boot  # noqa: F401
import calls
import guild

GONE = (EACCES, ENOENT, EIO, EBADF)
WITHIN_S = 2.0
latencies = []


def soon(condition, what):
    latencies.append(guild.eventually(condition, what, WITHIN_S))


def fresh(g, name, bob, **more):
    share = g.share(name, bob=bob, **more)
    guild.make_file(share.backing / "f", b"content", 0o666)
    return share, share.at(g.bob, "f")


def test_grant_and_revoke_each_permission(g):
    """Each is refused, granted, allowed, revoked, refused."""
    share, path = fresh(g, "each", "view")
    for number in range(2):
        guild.make_folder(share.backing / f"old{number}")
        guild.make_file(share.backing / f"name{number}")
    steps = {
        "download": [(calls.read_file, path)] * 2,
        "make-folder": [(os.mkdir, share.at(g.bob, f"folder{number}")) for number in range(2)],
        "upload": [(os.mknod, share.at(g.bob, f"file{number}")) for number in range(2)],
        "delete": [(os.rmdir, share.at(g.bob, f"old{number}")) for number in range(2)],
        "rename": [(os.rename, share.at(g.bob, f"name{number}"), share.at(g.bob, f"renamed{number}"))
                   for number in range(2)],
    }
    for perm, (first, second) in steps.items():
        guild.outcome(g.bob, EACCES, *first)
        g.grant("bob", share, perm)
        soon(lambda: g.bob.errno(*first) == 0, f"{perm} counts once granted")
        g.revoke("bob", share, perm)
        refused_once(g, share, perm)
        guild.outcome(g.bob, EACCES, *second)


def refused_once(g, share, perm):
    """Waits until the daemon has heard of it, by what the mount itself says."""
    def gone():
        return perm not in g.bob.call(os.getxattr, share.at(g.bob), "user.guildfs.permissions").decode().split(",")

    soon(gone, f"{perm} is gone once revoked")


def test_a_new_share_appears(g):
    share = g.share("sudden", wait=False)
    shown = share.at(g.bob)
    guild.outcome(g.bob, ENOENT, os.stat, shown)  # cached as absent

    def siblings():
        return g.bob.call(os.listdir, os.path.dirname(shown))

    g.grant("bob", share, "view")
    soon(lambda: g.bob.errno(os.stat, shown) == 0 and "sudden" in siblings(), "a share appears with its grant")
    g.revoke("bob", share)
    soon(lambda: g.bob.errno(os.stat, shown) == ENOENT and "sudden" not in siblings(), "and disappears with it")


def test_losing_view_hides_what_was_cached(g):
    share, path = fresh(g, "hides", "view,upload,make-folder")
    g.bob.call(os.stat, path)
    g.bob.call(os.listdir, share.at(g.bob))
    g.revoke("bob", share, "view")
    soon(lambda: g.bob.errno(os.stat, path) == ENOENT and g.bob.call(os.listdir, share.at(g.bob)) == [],
         "names are hidden")


def test_joining_and_leaving_a_group(g):
    g.add_group("lab", alice="owner")
    share = g.share("notes", group="lab", wait=False)
    g.cli("grant", "group:lab", f"share:{share.ref}", "view,download")
    guild.make_file(share.backing / "f", b"content")
    path = str(g.bob.view / "lab/files/notes/f")
    guild.outcome(g.bob, ENOENT, os.stat, path)
    g.cli("member", "add", "lab", "bob")
    soon(lambda: g.bob.attempt(calls.read_file, path) == (0, b"content"), "a member reads")
    g.cli("member", "remove", "lab", "bob")
    soon(lambda: g.bob.errno(os.stat, path) == ENOENT and "lab" not in g.bob.call(os.listdir, str(g.bob.view)),
         "SS-24: gone")


def test_a_gain_shows_in_what_is_open(g):
    """A file manager that has the folders open, and has asked for the names before, sees what comes and goes."""
    g.cli("group", "add", "club")
    share = g.share("minutes", group="club", wait=False)
    g.cli("grant", "group:club", share.ref, "view,download", "--wait")
    guild.make_file(share.backing / "f", b"content")
    view = g.bob.call(os.open, str(g.bob.view), os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(3):
        guild.equal(names_of((0, g.bob.call(listed_again, view))) & {"club"}, set(), "before")
        guild.outcome(g.bob, ENOENT, calls.read_file, str(g.bob.view / "club/files/minutes/f"))
        g.cli("member", "add", "club", "bob", "--wait")
        guild.true("club" in names_of((0, g.bob.call(listed_again, view))), "the open folder lists it")
        guild.equal(g.bob.call(calls.read_file, str(g.bob.view / "club/files/minutes/f")), b"content", "by path")
        kind = g.bob.call(os.open, str(g.bob.view / "club/files"), os.O_RDONLY | os.O_DIRECTORY)
        g.cli("member", "remove", "club", "bob", "--wait")
        guild.true("minutes" not in names_of((0, g.bob.call(listed_again, kind))), "and an open folder of it no more")
        g.bob.call(os.close, kind)
    g.bob.call(os.close, view)


def listed_again(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    return calls.getdents(fd)


def test_open_files_are_closed_to_who_lost_the_right(g):
    """In a revocable share (the default of files) every way in ends with the right."""
    share, path = fresh(g, "open", "view,download,upload,delete")
    fd = g.bob.call(os.open, path, os.O_RDWR)
    folder = g.bob.call(os.open, share.at(g.bob), os.O_RDONLY | os.O_DIRECTORY)
    guild.equal(g.bob.call(os.pread, fd, 100, 0), b"content", "before")
    g.revoke("bob", share)
    soon(lambda: g.bob.errno(os.pread, fd, 100, 0) in GONE, "read by an open descriptor is refused")
    guild.outcome(g.bob, GONE, os.pwrite, fd, b"x", 0)
    guild.outcome(g.bob, GONE, os.ftruncate, fd, 0)
    guild.outcome(g.bob, GONE, os.fchmod, fd, 0o600)
    guild.outcome(g.bob, GONE, reopen, fd)
    guild.true(g.bob.attempt(calls.getdents, folder)[1] in ([],) or g.bob.errno(calls.getdents, folder) in GONE
               or names_of(g.bob.attempt(calls.getdents, folder)) <= {".", ".."}, "the open folder lists nothing")
    guild.equal((share.backing / "f").read_bytes(), b"content", "content")


def names_of(result):
    return {name for name, *_ in result[1]} if result[0] == 0 else set()


def reopen(fd):
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDONLY))


def test_losing_delete_stops_a_writer(g):
    share, path = fresh(g, "writer", "view,download,upload,delete")
    fd = g.bob.call(os.open, path, os.O_RDWR)
    g.bob.call(os.pwrite, fd, b"C", 0)
    g.revoke("bob", share, "delete")
    soon(lambda: g.bob.errno(os.pwrite, fd, b"X", 0) in GONE, "writing is refused")
    guild.equal(g.bob.call(os.pread, fd, 100, 0)[1:], b"ontent", "reading goes on")


def hold_mapping(path):
    """A child that touches a mapping until it is stopped by SIGBUS. Its pid, once it is at work."""
    fd = os.open(path, os.O_RDONLY)
    area = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write_end, area[:1])
        while True:
            area[0]
    os.read(read_end, 1)
    for each in (fd, read_end, write_end):
        os.close(each)
    return child


def how_it_ended(child):
    pid, status = os.waitpid(child, os.WNOHANG)
    return None if pid == 0 else os.WTERMSIG(status) if os.WIFSIGNALED(status) else -1


def test_a_mapping_is_taken_back(g):
    share, path = fresh(g, "mapping", "view,download")
    child = g.bob.call(hold_mapping, path)
    guild.equal(g.bob.call(how_it_ended, child), None, "the mapping works before")
    g.revoke("bob", share)
    ended = []
    soon(lambda: ended.append(g.bob.call(how_it_ended, child)) or ended[-1] is not None, "the mapping ends")
    guild.equal(ended[-1], 7, "by SIGBUS")


def test_others_do_not_notice(g):
    """Taking bob's rights disturbs nothing that alice has open."""
    share, path = fresh(g, "others", "view,download", alice="editor")
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
    g.alice.call(os.chdir, share.at(g.alice))
    g.revoke("bob", share)
    soon(lambda: g.bob.errno(os.stat, path) == ENOENT, "bob is out")
    guild.equal(g.alice.call(os.pread, fd, 100, 0), b"content", "alice's descriptor")
    g.alice.call(os.pwrite, fd, b"C", 0)
    guild.equal(g.alice.call(os.getcwd), share.at(g.alice), "alice's folder")
    g.alice.call(os.chdir, "/")


def test_regained_rights_work_anew(g):
    share, path = fresh(g, "again", "view,download")
    for _ in range(5):
        g.revoke("bob", share)
        soon(lambda: g.bob.errno(os.stat, path) == ENOENT, "revoked")
        g.grant("bob", share, "view,download")
        soon(lambda: g.bob.attempt(calls.read_file, path) == (0, b"content"), "granted again")


def test_an_authorization_that_ends(g):
    share, path = fresh(g, "until", "view")
    g.cli("grant", "everyone", f"share:{share.ref}", "download", "--until", "+2s")
    soon(lambda: g.bob.errno(calls.read_file, path) == 0, "while it lasts")
    fd = g.bob.call(os.open, path, os.O_RDONLY)
    guild.eventually(lambda: g.bob.errno(calls.read_file, path) == EACCES, "after its end", 5)
    guild.eventually(lambda: g.bob.errno(os.pread, fd, 10, 0) in GONE, "an open descriptor, too", 5)


def test_nobody_is_asked_twice(g):
    """Fail closed: a daemon that cannot read its store any more refuses, and recovers."""
    share, path = fresh(g, "stale", "view,download")
    g.unmount()
    g.mount("stale_limit=1")
    guild.eventually(lambda: g.bob.errno(calls.read_file, path) == 0, "mounted")
    moved = g.dir / "store-moved"
    os.rename(g.store, moved)
    try:
        guild.eventually(lambda: g.bob.errno(calls.read_file, path) != 0,
                         "refused once the store has been away too long", 20)
    finally:
        os.rename(moved, g.store)
    guild.eventually(lambda: g.bob.errno(calls.read_file, path) == 0, "served again once it is back", 20)


def test_zz_latency(_):
    milliseconds = sorted(1000 * each for each in latencies)
    if milliseconds:
        print(f"#    {len(milliseconds)} changes took effect within {statistics.median(milliseconds):.1f} ms (median), "
              f"{milliseconds[-1]:.1f} ms (longest) of the command's end")


guild.main()
