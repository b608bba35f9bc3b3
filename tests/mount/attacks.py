#!/usr/bin/env python3
"""Attacks: what somebody who means harm could try, each found by trying it once."""

import ctypes
import fcntl
import mmap
import os
import resource
import stat
import struct
import time
from errno import EACCES, EDQUOT, EINTR, ENOENT, EROFS, EXDEV

import boot  # noqa: F401
import calls
import guild
import worker


# ---- descriptors run out ----

def test_a_nested_share_keeps_its_rules_when_descriptors_run_out(g):
    """The daemon cannot look where the nested share is: then its folder is not one of the share around it."""
    outer = g.share("outer", alice="editor")
    guild.make_folder(outer.backing / "inner", 0o777)
    guild.make_file(outer.backing / "inner/old", b"old", 0o666)
    g.cli("share", "add", "inner", "--in", f"{outer.ref}/inner")
    g.cli("share", "set", "inner", "state=archived")
    g.unmount()
    g.mount("attr_timeout=0,entry_timeout=0")
    path = outer.at(g.alice, "inner", "old")
    guild.outcome(g.alice, EROFS, calls.write_file, path, b"new", os.O_WRONLY)
    pid, before = g.daemon.pid, resource.prlimit(g.daemon.pid, resource.RLIMIT_NOFILE)
    try:
        used = len(os.listdir(f"/proc/{pid}/fd"))
        for limit in range(used - 6, used + 8):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
            results = [g.alice.errno(calls.write_file, path, b"new", os.O_WRONLY) for _ in range(20)]
            guild.true(0 not in results, f"denied with a limit of {limit} descriptors, of which {used} are used")
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        g.remount()
    guild.equal((outer.backing / "inner/old").read_bytes(), b"old", "content")


def link_many(folder, count):
    for number in range(count):
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o644)
        calls.link_fd(fd, f"{folder}/named-{number}")
        os.close(fd)


def test_files_that_got_their_name_late_hold_no_descriptors(g):
    daemon, guild.GUILDFSD = guild.GUILDFSD, str(g.dir / "limited-guildfsd")
    guild.make_file(guild.GUILDFSD, f'#!/bin/sh\nulimit -n 700\nexec {daemon} "$@"\n'.encode(), 0o755)
    try:
        g.remount()
    finally:
        guild.GUILDFSD = daemon
    try:
        share = g.share("late", alice="editor")
        guild.equal(g.alice.errno(link_many, share.at(g.alice), 900), 0, "the last of 900 files")
        guild.true(len(os.listdir(f"/proc/{g.daemon.pid}/fd")) < 600, "the daemon's descriptors are a cache")
    finally:
        g.remount()


# ---- threads are held up ----

def hash_of(path):
    return os.getxattr(path, "user.guildfs.xxh3")


def make_large(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.ftruncate(fd, 1 << 43)
    os.close(fd)


def test_checksums_do_not_take_all_threads(g):
    share = g.share("large", alice="editor", bob="editor")
    path = share.at(g.alice, "sparse")
    g.alice.call(make_large, path)
    workers = [g.alice.another_worker() for _ in range(12)]
    for each in workers:
        each.start(hash_of, path)
    time.sleep(0.5)
    asking = g.bob.another_worker()
    asking.start(calls.stat_tuple, share.at(g.bob, "sparse"))
    answered = asking.ready(5)
    waiting = [each for each in workers if not each.ready(0)]
    for each in waiting:
        os.kill(each.pid, 9)
    ended = True
    for each in waiting:
        end = time.monotonic() + 5
        while ended and os.waitpid(each.pid, os.WNOHANG)[0] == 0:
            ended = time.monotonic() < end
            time.sleep(0.01)
        if not ended:
            break
        each.pid = 0
    if not (answered and ended):
        guild.abort_connection(g.mountpoint)
        g.daemon.kill()
    guild.true(answered, "bob is answered meanwhile")
    guild.true(ended, "who is killed while the checksum is computed ends at once")
    asking.finish()
    asking.close()


UFFDIO_API, UFFDIO_REGISTER = 0xC018AA3F, 0xC020AA00


def hang_in(folder):
    """Lists a folder into memory whose page never comes. The kernel holds the folder's lock meanwhile.
    (Without privileges the page would be one of a file in a FUSE filesystem of one's own.)"""
    userfaultfd = 323 if os.uname().machine == "x86_64" else 282
    fault = calls.check(calls.libc.syscall(ctypes.c_long(userfaultfd), os.O_CLOEXEC))
    fcntl.ioctl(fault, UFFDIO_API, bytearray(struct.pack("=QQQ", 0xAA, 0, 0)))
    memory = mmap.mmap(-1, 65536, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(fault, UFFDIO_REGISTER, bytearray(struct.pack("=QQQQ", address, 65536, 1, 0)))
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    calls.libc.syscall(ctypes.c_long(calls.SYS_GETDENTS64), fd, ctypes.c_void_p(address), ctypes.c_long(65536))


class Hanging:
    """Processes that hang in folders, for the time of a with block."""

    def __init__(self, *folders):
        self.workers = [worker.Worker(0, 0) for _ in folders]
        for each, folder in zip(self.workers, folders):
            each.start(hang_in, folder)

    def __enter__(self):
        time.sleep(0.5)
        if any(each.ready(0) for each in self.workers):
            raise guild.Failure(f"the processes do not hang: {[each.finish() for each in self.workers if each.ready(0)]}")

    def __exit__(self, *_):
        for each in self.workers:
            each.kill()


def test_a_view_that_hangs_does_not_hold_up_the_policy(g):
    share = g.share("held", alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"content")
    places = [g.bob.view, g.bob.view / "my", g.bob.view / "my/files"]
    for place in places:
        g.bob.call(os.listdir, str(place))
    guild.equal(g.alice.errno(calls.read_file, share.at(g.alice, "f")), 0, "before")
    with Hanging(*map(str, places)):
        for number in range(3):  # each changes a folder in which bob hangs
            g.share(f"news-{number}", wait=False, bob="editor")
        g.revoke("alice", share)
        took = guild.eventually(lambda: g.alice.errno(calls.read_file, share.at(g.alice, "f")) == ENOENT,
                                "alice's right is gone", 5)
    print(f"#    taken back after {1000 * took:.0f} ms")
    guild.eventually(lambda: not g.bob.errno(os.stat, str(g.bob.view / "my/files/news-2")), "bob sees what is new")


def make_and_remove(folder, count):
    """The longest, in seconds, that one of them took, without the first ones."""
    times = []
    for number in range(count):
        start = time.monotonic()
        calls.write_file(f"{folder}/churn-{number}", b"x")
        os.unlink(f"{folder}/churn-{number}")
        times.append(time.monotonic() - start)
    return max(times[3:])


def test_a_view_that_hangs_does_not_hold_up_the_others(g):
    """dave and erin hang in the folder: alice is not slowed down, and bob sees at once what she does."""
    share = g.share("shared", alice="editor", bob="editor", dave="editor", erin="editor")
    for user in (g.bob, g.dave, g.erin):
        user.call(os.listdir, share.at(user))
    with Hanging(share.at(g.dave), share.at(g.erin)):
        longest = g.alice.call(make_and_remove, share.at(g.alice), 40)
        wrong = 0
        for number in range(20):
            name = f"n-{number}"
            guild.outcome(g.bob, ENOENT, os.stat, share.at(g.bob, name))
            g.alice.call(calls.write_file, share.at(g.alice, name), b"x")
            wrong += g.bob.errno(os.stat, share.at(g.bob, name)) != 0
    print(f"#    longest create and unlink {1000 * longest:.0f} ms")
    guild.true(longest < 0.09, f"nobody waits for a view that hangs ({longest:.3f} s)")
    guild.equal(wrong, 0, "names that bob did not see at once")


# ---- pending uploads ----

def may_write(user, path):
    return user.errno(calls.open_close, path, os.O_WRONLY)


def test_a_late_close_does_not_bring_back_an_upload(g):
    """Losing Upload ends it; closing the file afterwards must not begin it anew."""
    share = g.share("late-close", alice="editor", bob="contributor")
    path = share.at(g.bob, "mine")
    g.bob.call(calls.write_file, path, b"mine")
    fd = g.bob.call(os.open, path, os.O_WRONLY)
    g.revoke("bob", share, "upload")
    guild.eventually(lambda: g.bob.errno(os.write, fd, b"x") == EACCES, "Upload is gone")
    again = g.bob.call(os.dup, fd)
    g.bob.call(os.close, again)  # without the right
    g.grant("bob", share, "upload")
    guild.eventually(lambda: g.bob.errno(os.write, fd, b"x") == 0, "Upload is back")
    g.bob.call(os.close, fd)  # and with it again
    guild.outcome(g.bob, EACCES, calls.open_close, path, os.O_WRONLY)
    guild.outcome(g.bob, EACCES, os.unlink, path)


def test_an_upload_that_was_over_does_not_come_back_by_opening(g):
    share = g.share("over", alice="editor", bob="contributor", settings=["overwrite=upload"])
    path = share.at(g.bob, "mine")
    g.bob.call(calls.write_file, path, b"mine")
    guild.set_upload(share.backing / "mine", g.bob, age=7200)
    guild.outcome(g.bob, EACCES, os.unlink, path)
    fd = g.bob.call(os.open, path, os.O_WRONLY)  # allowed by overwrite=upload
    guild.outcome(g.bob, EACCES, os.unlink, path)
    g.bob.call(os.close, fd)
    guild.outcome(g.bob, EACCES, os.unlink, path)


def test_an_exchange_is_no_save(g):
    """Each file keeps its own record; alice's does not become an upload of bob's."""
    share = g.share("exchange", alice="editor", bob="contributor")
    g.alice.call(calls.write_file, share.at(g.alice, "alices"), b"alice")
    g.bob.call(calls.write_file, share.at(g.bob, "bobs"), b"bob")
    os.setxattr(share.backing / "bobs", "user.note", b"bob's")
    g.alice.call(calls.renameat2, share.at(g.alice, "alices"), share.at(g.alice, "bobs"), calls.RENAME_EXCHANGE)
    guild.equal((share.backing / "bobs").read_bytes(), b"alice", "exchanged")
    guild.equal(guild.upload_record(share.backing / "bobs")[0], g.alice.uuid, "alice's file is still hers")
    guild.equal(os.listxattr(share.backing / "bobs").count("user.note"), 0, "and has no attribute of bob's")
    guild.outcome(g.bob, EACCES, os.unlink, share.at(g.bob, "bobs"))


def test_what_an_editor_saved_over_is_no_draft_any_more(g):
    """As when it is overwritten in place: bob may not throw away what alice has put there."""
    share = g.share("saved-over", alice="editor", bob="contributor")
    g.bob.call(calls.write_file, share.at(g.bob, "draft"), b"bob's draft")
    g.alice.call(calls.write_file, share.at(g.alice, "tmp"), b"alice's work")
    g.alice.call(os.rename, share.at(g.alice, "tmp"), share.at(g.alice, "draft"))
    guild.equal(guild.upload_record(share.backing / "draft")[:2], (g.bob.uuid, "settled"), "upload record")
    for function, arguments in ((os.unlink, ()), (os.truncate, (0,)), (calls.open_close, (os.O_WRONLY,))):
        guild.outcome(g.bob, EACCES, function, share.at(g.bob, "draft"), *arguments)
    guild.equal((share.backing / "draft").read_bytes(), b"alice's work", "content")


def test_a_symlink_saved_over_a_file_with_attributes(g):
    share = g.share("symlink", alice="editor")
    guild.make_file(share.backing / "f", b"x")
    os.setxattr(share.backing / "f", "user.note", b"x")
    g.alice.call(os.symlink, "elsewhere", share.at(g.alice, "new"))
    g.alice.call(os.rename, share.at(g.alice, "new"), share.at(g.alice, "f"))
    guild.true(stat.S_ISLNK(os.lstat(share.backing / "f").st_mode), "the symlink is there")


# ---- two places of one share ----

def test_two_places_of_a_share_are_two_trees(g):
    g.add_group("first", alice="member")
    g.add_group("second", alice="member")
    share = g.share("both", group="first", alice="editor")
    g.cli("grant", "group:second", f"share:{share.ref}", "editor")
    here = share.at(g.alice, place="first")
    there = share.at(g.alice, place="second")
    guild.eventually(lambda: not g.alice.errno(os.stat, there), "it shows in both groups")
    g.alice.call(os.mkdir, here + "/folder")
    g.alice.call(calls.write_file, here + "/file", b"x")
    for function, name in ((os.rename, "folder"), (os.rename, "file"), (os.link, "file")):
        guild.outcome(g.alice, EXDEV, function, f"{here}/{name}", f"{there}/{name}-2")
    guild.outcome(g.alice, EXDEV, calls.renameat2, here + "/file", there + "/folder", calls.RENAME_EXCHANGE)
    guild.equal(sorted(os.listdir(share.backing)), ["file", "folder"], "names")


# ---- what counts tell ----

def entries(path, size=65536):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return calls.getdents(fd, size)
    finally:
        os.close(fd)


def test_positions_in_a_drop_box_tell_nothing(g):
    """The position after an entry is that of the next one, in the backing filesystem: a hash of its name."""
    share = g.share("positions", alice="editor", bob="dropbox")
    for number in range(20):
        g.bob.call(calls.write_file, share.at(g.bob, f"bobs-{number}"))
    before = g.bob.call(entries, share.at(g.bob))
    for number in range(200):
        guild.make_file(share.backing / f"hidden-{number}", b"x")
    found = g.bob.call(entries, share.at(g.bob))
    guild.equal([(name, offset) for name, _, offset, _ in found], [(name, offset) for name, _, offset, _ in before],
                "names and positions before and after others came")


def read_by_steps(path):
    """Every position, gone to by seekdir: the entry that follows each."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        everything = []
        while batch := calls.getdents(fd, 200):
            everything += batch
        wrong = []
        for (_, _, offset, _), (name, *_) in zip(reversed(everything[:-1]), reversed(everything[1:])):
            os.lseek(fd, offset, os.SEEK_SET)
            if calls.getdents(fd, 200)[0][0] != name:
                wrong.append(name)
        os.lseek(fd, 0, os.SEEK_SET)
        again = []
        while batch := calls.getdents(fd, 200):
            again += batch
        return wrong, [name for name, *_ in everything], [name for name, *_ in again]
    finally:
        os.close(fd)


def test_seeking_in_a_drop_box(g):
    share = g.share("seeking", alice="editor", bob="dropbox")
    for number in range(40):
        g.bob.call(calls.write_file, share.at(g.bob, f"bobs-{number}"))
        guild.make_file(share.backing / f"hidden-{number}", b"x")
    wrong, first, again = g.bob.call(read_by_steps, share.at(g.bob))
    guild.equal(sorted(first), sorted([".", ".."] + [f"bobs-{number}" for number in range(40)]), "names")
    guild.equal((wrong, again), ([], first), "what follows each position, and the second reading")


def test_the_dots_have_the_numbers_of_stat(g):
    share = g.share("dots", alice="editor")
    guild.make_folder(share.backing / "d", 0o777)
    root, folder = (g.alice.call(calls.stat_tuple, share.at(g.alice, *parts))[6] for parts in ((), ("d",)))
    found = {name: inode for name, inode, *_ in g.alice.call(entries, share.at(g.alice, "d"))}
    guild.equal((found["."], found[".."]), (folder, root), "inode numbers of . and ..")
    outside = {name: inode for name, inode, *_ in g.alice.call(entries, share.at(g.alice))}[".."]
    guild.true(outside != os.stat(share.backing.parent).st_ino, "nothing of what is around the share")


# ---- quota ----

def test_room_behind_the_end_counts_too(g):
    share = g.share("quota", alice="editor", settings=["quota=1M"])
    path = share.at(g.alice, "f")
    g.alice.call(calls.write_file, path, bytes(1 << 20))
    fd = g.alice.call(os.open, path, os.O_RDWR)
    guild.eventually(lambda: g.alice.errno(calls.write_file, share.at(g.alice, "more"), b"x") == EDQUOT, "the quota is used up")
    g.alice.call(os.close, fd)
    fd = g.alice.call(os.open, path, os.O_RDWR)
    guild.outcome(g.alice, EDQUOT, calls.fallocate, fd, calls.FALLOC_KEEP_SIZE, 0, 64 << 20)
    guild.outcome(g.alice, 0, calls.fallocate, fd, calls.FALLOC_KEEP_SIZE | calls.FALLOC_PUNCH_HOLE, 0, 64 << 20)
    g.alice.call(os.close, fd)


# ---- lifetimes ----

def churn(folder, seconds):
    """Folders that are used, looked into and gone at once: their nodes go while they are being used."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        name = f"{folder}/{count % 3}"
        for function, arguments in ((os.mkdir, ()), (os.listdir, ()), (os.stat, ()), (os.rmdir, ())):
            try:
                function(name, *arguments)
            except OSError:
                pass
        try:
            os.stat(name + "/below")
        except OSError:
            pass
        count += 1
    return count


def test_folders_that_go_while_they_are_used(g):
    """Mostly for a daemon with AddressSanitizer or ThreadSanitizer."""
    share = g.share("churn", alice="editor", bob="editor")
    workers = [user.another_worker() for user in (g.alice, g.alice, g.bob, g.bob)]
    for each, user in zip(workers, (g.alice, g.alice, g.bob, g.bob)):
        each.start(churn, share.at(user), 3.0)
    rounds = sum(each.finish(20)[1] for each in workers)
    for each in workers:
        each.close()
    guild.true(rounds > 100, "enough rounds to mean something")


# ---- last, since it mounts anew ----

def close_and_say(fd):
    os.close(fd)
    return True


def test_zz_close_succeeds_when_the_store_is_away(g):
    share = g.share("stale", alice="editor")
    guild.make_file(share.backing / "f", b"x", 0o666)
    g.unmount()
    g.mount("stale_limit=1")
    guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice, "f")) == 0, "mounted")
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
    locked = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
    g.alice.call(calls.posix_lock, fd, fcntl.F_WRLCK)
    moved = g.dir / "store-moved"
    os.rename(g.store, moved)
    try:
        guild.eventually(lambda: g.alice.errno(os.pread, fd, 1, 0) not in (0, EINTR) or
                         g.alice.errno(os.pwrite, fd, b"x", 0) != 0, "refused", 20)
        guild.outcome(g.alice, 0, close_and_say, locked)  # ends all POSIX locks that the process has on the file
        backing = os.open(share.backing / "f", os.O_RDWR)
        guild.equal(calls.posix_getlk(backing, fcntl.F_WRLCK)[0], fcntl.F_UNLCK, "lock on the backing file")
        os.close(backing)
    finally:
        os.rename(moved, g.store)
    guild.eventually(lambda: g.alice.errno(os.pread, fd, 1, 0) == 0, "served again", 20)
    g.alice.call(os.close, fd)


# ---- what the kernel has kept, when rights go and come ----

def test_what_a_drop_box_hid_shows_when_all_rights_went_before_view_came(g):
    """Who stays in the folder keeps what the kernel knows of names in it, as long as that may be kept."""
    g.unmount()
    g.mount("entry_timeout=600")
    try:
        share = g.share("box", alice="upload,make-folder")
        guild.make_file(share.backing / "f", b"x", 0o644)
        g.alice.call(os.chdir, share.at(g.alice))
        guild.outcome(g.alice, ENOENT, os.stat, "f")
        g.cli("revoke", "user:alice", share.ref, "--wait")
        guild.outcome(g.alice, ENOENT, os.stat, "f")
        g.cli("grant", "user:alice", share.ref, "viewer", "--wait")
        guild.outcome(g.alice, 0, os.stat, share.at(g.alice))
        guild.outcome(g.alice, 0, os.stat, share.at(g.alice, "f"))
    finally:
        g.alice.call(os.chdir, "/")
        g.unmount()
        g.mount()


guild.main(users=["alice", "bob", "dave", "erin"], limit_s=170)
