#!/usr/bin/env python3
"""Between views, beside the mount, and when the ground moves: root in a view, bind mounts, lost folders."""

import os
import resource
import socket
import stat
from errno import EACCES, EBUSY, EINVAL, EIO, ENFILE, ENOENT, ENOTCONN, EPERM, EROFS, ESTALE, EXDEV

import boot  # noqa: F401
import calls
import guild
import worker

NO_WAY = (EACCES, EPERM, EXDEV, ENOENT)


def as_root(function, *arguments):
    """The errno for root, in a process of its own."""
    process = worker.Worker(0, 0)
    try:
        return process.errno(function, *arguments)
    finally:
        process.close()


def test_root_in_a_view_is_its_user(g):
    share = g.share("root", alice="contributor", bob="view")
    guild.make_file(share.backing / "old", b"old", 0o600)
    path = share.at(g.alice, "new")
    guild.equal(as_root(calls.write_file, path, b"x"), 0, "root creates in alice's view")
    guild.equal(guild.upload_record(share.backing / "new")[0], g.alice.uuid, "uploader")
    guild.equal(as_root(calls.write_file, share.at(g.alice, "old"), b"x", os.O_WRONLY), EACCES, "what alice may not")
    guild.equal(as_root(os.unlink, share.at(g.alice, "old")), EACCES, "what alice may not")
    guild.equal(as_root(os.chown, path, 0, 0), EPERM, "to give away what is alice's")
    guild.equal(as_root(calls.read_file, share.at(g.bob, "old")), EACCES, "what bob may not read")
    g.alice.call(os.unlink, path)


def test_no_rename_from_view_to_view(g):
    """Whoever can reach both, and that is root alone: a view is a filesystem of its own."""
    share = g.share("across", alice="editor", bob="editor")
    guild.make_file(share.backing / "a", b"x")
    for function in (os.rename, os.link):
        guild.true(as_root(function, share.at(g.alice, "a"), share.at(g.bob, "b")) in NO_WAY, function.__name__)
    guild.true(as_root(calls.renameat2, share.at(g.alice, "a"), share.at(g.bob, "a"), calls.RENAME_EXCHANGE) in NO_WAY,
               "exchange")
    guild.equal(os.listdir(share.backing), ["a"], "names")


def test_a_share_in_two_groups(g):
    """It shows in both; it is one share for its content, and what is between groups is a copy."""
    for group in ("left", "right"):
        g.add_group(group, alice="member")
    share = g.share("shared", wait=False)
    for group in ("left", "right"):
        g.cli("grant", f"group:{group}", f"share:{share.ref}", "editor")
    left, right = (share.at(g.alice, place=group) for group in ("left", "right"))
    guild.eventually(lambda: not g.alice.errno(os.stat, left) and not g.alice.errno(os.stat, right), "it shows in both")
    g.alice.call(calls.write_file, left + "/f", b"one")
    guild.equal(g.alice.call(calls.read_file, right + "/f"), b"one", "seen by the other place")
    g.alice.call(calls.write_file, right + "/f", b"two", os.O_WRONLY | os.O_TRUNC)
    guild.equal(g.alice.call(calls.read_file, left + "/f"), b"two", "and back")
    g.alice.call(os.unlink, right + "/f")
    guild.outcome(g.alice, ENOENT, os.stat, left + "/f")
    g.alice.call(calls.write_file, left + "/f", b"three")
    guild.outcome(g.alice, EXDEV, os.rename, left + "/f", right + "/g")
    guild.outcome(g.alice, EXDEV, os.link, left + "/f", right + "/g")
    guild.equal(len(os.listdir(share.backing)), 1, "files")


def test_a_bind_mount_opens_no_door(g):
    share = g.share("bound", alice="editor")
    guild.make_folder(share.backing / "d", 0o777)
    guild.make_file(share.backing / "d/f", b"secret", 0o666)
    door = guild.make_folder(g.dir / "door")
    calls.mount(share.at(g.alice, "d"), door, None, calls.MS_BIND)
    try:
        guild.outcome(g.bob, EACCES, calls.read_file, str(door / "f"))
        guild.outcome(g.bob, EACCES, os.listdir, str(door))
        guild.outcome(g.bob, EACCES, calls.write_file, str(door / "new"))
        guild.outcome(g.bob, EACCES, os.stat, str(door / "f"))
        guild.equal(g.alice.call(calls.read_file, str(door / "f")), b"secret", "alice's own")
    finally:
        calls.umount2(door, calls.MNT_DETACH)


def receive_descriptor(path):
    """Listens, takes one descriptor, reads from it, and tries to open it anew to write."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        connection, _ = listener.accept()
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        fd = descriptors[0]
        results = [os.pread(fd, 100, 0)]
        try:
            os.close(os.open(f"/proc/self/fd/{fd}", os.O_RDWR))
            results.append(0)
        except OSError as error:
            results.append(error.errno)
        return results


def send_descriptor(path, file):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        fd = os.open(file, os.O_RDONLY)
        socket.send_fds(connection, [b"x"], [fd])
        os.close(fd)


def test_a_descriptor_that_is_handed_over(g):
    """It is alice's for who holds it: to read, as she opened it. What it stands for is judged by her rights."""
    share = g.share("handed", alice="view,download")
    guild.make_file(share.backing / "f", b"content", 0o666)
    meeting = guild.make_folder(g.dir / "meeting", 0o777)
    g.bob.worker.start(receive_descriptor, str(meeting / "socket"))
    guild.eventually(lambda: g.alice.errno(send_descriptor, str(meeting / "socket"), share.at(g.alice, "f")) == 0,
                     "sent")
    number, (data, reopened) = g.bob.worker.finish(10)
    guild.equal((number, data), (0, b"content"), "read by bob")
    guild.equal(reopened, EACCES, "bob opens it anew to write")


def test_the_archive_stops_an_open_handle(g):
    share = g.share("stops", alice="editor")
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR | os.O_CREAT, 0o644)
    g.alice.call(os.pwrite, fd, b"before", 0)
    g.cli("share", "set", share.ref, "state=archived")
    guild.eventually(lambda: g.alice.errno(os.pwrite, fd, b"during", 0) == EROFS, "write by an open descriptor")
    for function, arguments in ((os.ftruncate, (fd, 0)), (os.fchmod, (fd, 0o600)), (calls.fallocate, (fd, 0, 0, 100))):
        guild.outcome(g.alice, EROFS, function, *arguments)
    guild.equal(g.alice.call(os.pread, fd, 100, 0), b"before", "read by the descriptor that made it, with Download")
    guild.equal((share.backing / "f").read_bytes(), b"before", "content")
    g.alice.call(os.close, fd)


def test_a_share_whose_folder_is_gone(g):
    """Moved away or removed behind the mount: an error, no hang, no crash; and it works once it is back."""
    share = g.share("lost", alice="editor")
    guild.make_file(share.backing / "f", b"content")
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDONLY)
    away = g.backing / "lost-away"
    os.rename(share.backing, away)
    guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice, "nothing")) in (ENOENT, ESTALE, EIO), "an error",
                     5)
    g.alice.attempt(os.listdir, share.at(g.alice))
    guild.equal(g.alice.call(os.pread, fd, 100, 0), b"content", "what was open")
    g.alice.call(os.close, fd)
    guild.equal(g.alice.errno(os.listdir, str(g.alice.view / "my/files")), 0, "the folder around it")
    os.rename(away, share.backing)
    guild.eventually(lambda: g.alice.attempt(calls.read_file, share.at(g.alice, "f")) == (0, b"content"), "back again",
                     5)


def test_a_share_that_is_a_symlink_now(g):
    """The folder of a share replaced by a symlink does not lead anywhere."""
    share = g.share("turned", alice="editor")
    outside = guild.make_folder(g.dir / "outside", 0o755)
    guild.make_file(outside / "f", b"outside")
    share.backing.rmdir()
    share.backing.symlink_to(outside)
    g.remount()
    guild.true(g.alice.errno(calls.read_file, share.at(g.alice, "f")) != 0, "nothing is read through it")
    guild.true(g.alice.errno(calls.write_file, share.at(g.alice, "new")) != 0, "nothing is made through it")
    guild.equal(os.listdir(outside), ["f"], "outside")
    share.backing.unlink()
    share.backing.mkdir(0o777)


def test_two_daemons_on_one_store(g):
    share = g.share("double", alice="editor", bob="editor")
    second = guild.make_folder(g.dir / "mnt2")
    daemon = g.start_daemon(second, "")
    try:
        other = str(second / "bob" / os.path.relpath(share.at(g.bob), g.bob.view))
        g.alice.call(calls.write_file, share.at(g.alice, "f"), b"one")
        guild.eventually(lambda: g.bob.attempt(calls.read_file, other + "/f") == (0, b"one"), "a file", 3)
        g.alice.call(calls.write_file, share.at(g.alice, "f"), b"and two", os.O_WRONLY)
        guild.eventually(lambda: g.bob.attempt(calls.read_file, other + "/f") == (0, b"and two"), "its content", 3)
        g.revoke("bob", share)
        guild.eventually(lambda: g.bob.errno(os.stat, other + "/f") == ENOENT, "revoked in both", 3)
    finally:
        guild.equal(g.stop_daemon(daemon, second), 0, "exit status of the second daemon")
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "f")), b"and two", "the first goes on")


def test_renames_that_no_filesystem_allows(g):
    share = g.share("loops", alice="editor")
    base = share.at(g.alice)
    os.makedirs(share.backing / "a/b/c", 0o777)
    for each in ("a", "a/b", "a/b/c"):
        (share.backing / each).chmod(0o777)
    guild.make_file(share.backing / "f", b"x")
    guild.outcome(g.alice, EINVAL, os.rename, base + "/a", base + "/a/b/c/d")
    guild.outcome(g.alice, EINVAL, calls.renameat2, base + "/a", base + "/a/b", calls.RENAME_EXCHANGE)
    guild.outcome(g.alice, (EBUSY, EINVAL), os.rename, base + "/a/.", base + "/z")
    guild.outcome(g.alice, 0, os.rename, base + "/f", base + "/f")
    os.link(share.backing / "f", share.backing / "g")
    guild.outcome(g.alice, 0, os.rename, base + "/f", base + "/g")  # the same file: POSIX wants nothing to happen
    guild.equal(sorted(os.listdir(share.backing)), ["a", "f", "g"], "names")


def open_many(folder):
    """Opens as many files as it can. (opened, errno of the first failure)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    descriptors, problem = [], 0
    for number in range(min(hard, 40_000)):
        try:
            descriptors.append(os.open(f"{folder}/{number % 100}", os.O_RDONLY))
        except OSError as error:
            problem = error.errno
            break
    for fd in descriptors:
        os.close(fd)
    return len(descriptors), problem


def test_many_open_files(g):
    """More than the daemon's descriptors may be refused to who opens them, and harms nobody else."""
    share = g.share("many", alice="view,download", bob="view,download")
    for number in range(100):
        guild.make_file(share.backing / str(number), b"x")
    count, problem = g.bob.call(open_many, share.at(g.bob))
    half = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2
    guild.equal(problem, ENFILE if half < 40_000 else 0, "refused as too many for one person")
    guild.true(count <= half, "half of them is for others")
    print(f"#    {count} files open at once")
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "5")), b"x", "alice goes on")


def test_stored_modes(g):
    """As they were asked for, though the view shows the owner's bits alone."""
    share = g.share("stored", alice="editor")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"", os.O_WRONLY | os.O_CREAT, 0o640)
    g.alice.call(os.mkdir, share.at(g.alice, "d"), 0o750)
    g.alice.call(os.symlink, "x", share.at(g.alice, "l"))
    for name, mode in (("f", 0o640), ("d", 0o750), ("l", 0o777)):
        guild.equal(stat.S_IMODE(os.lstat(share.backing / name).st_mode), mode, f"stored mode of {name}")
    shown = g.alice.call(calls.stat_tuple, share.at(g.alice, "f"))[0]
    guild.equal(stat.S_IMODE(shown), 0o600, "bits shown")


def test_the_dead_mount_says_so(g):
    daemon, g.daemon = g.daemon, None
    daemon.kill()
    daemon.wait()
    guild.outcome(g.alice, ENOTCONN, os.listdir, str(g.alice.view))
    calls.umount2(g.mountpoint, calls.MNT_DETACH)
    g.mount()
    guild.eventually(lambda: g.alice.errno(os.listdir, str(g.alice.view)) == 0, "mounted again")


guild.main()
