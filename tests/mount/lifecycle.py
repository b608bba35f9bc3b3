#!/usr/bin/env python3
"""The daemon from start to end: background, signals, a crash, wrong arguments, mount(8)."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
from errno import EACCES, ENOENT, ENOTCONN

import boot  # noqa: F401
import calls
import guild


def run(*command, **more):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, **more)


def reap(pid):
    """Waits for a daemon that went into the background: it is this process's child, by subreaping."""
    guild.eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "the daemon ends", 20)


def clean(g):
    """What a test that failed left behind."""
    for pid in g.daemon_pids():
        os.kill(pid, signal.SIGKILL)
        reap(pid)
    while g.mounted():
        calls.umount2(g.mountpoint, calls.MNT_DETACH)


def in_background(g, program=None, *options):
    """Starts one as an administrator does. Its pid."""
    clean(g)
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    done = run(program or guild.GUILDFSD, g.store, g.mountpoint, *options)
    guild.equal(done.returncode, 0, f"exit status of the command that mounts; {done.stderr}")
    guild.true(g.mounted(), "mounted when the command has ended")
    pids = g.daemon_pids()
    guild.equal(len(pids), 1, "daemons")
    return pids[0]


def stop(g, pid):
    os.kill(pid, signal.SIGTERM)
    reap(pid)
    guild.true(not g.mounted(), "unmounted")


def refused(g, *command, status=None, says=()):
    """The command fails with one line that says what is wrong, and nothing is mounted or left running."""
    clean(g)
    done = run(*command)
    guild.true(done.returncode != 0, f"{command} fails")
    if status is not None:
        guild.equal(done.returncode, status, f"exit status of {command}; {done.stderr}")
    guild.equal(len(done.stderr.strip().splitlines()), 1, f"lines on standard error: {done.stderr!r}; number")
    for word in says:
        guild.true(str(word) in done.stderr, f"{word!r} in {done.stderr!r}")
    guild.true(not g.mounted(), "nothing is mounted")
    guild.equal(g.daemon_pids(), [], "daemons left running")


def prepare(g):
    g.shared = g.share("atlas", wait=False, alice="view,download,upload,delete")
    guild.make_file(g.shared.backing / "f", b"content", 0o666)


def reads(g):
    guild.equal(g.alice.call(calls.read_file, g.shared.at(g.alice, "f")), b"content", "content")


def test_background_and_sigterm(g):
    prepare(g)
    pid = in_background(g)
    reads(g)
    guild.equal(os.getsid(pid), pid, "a session of its own")
    guild.equal(os.readlink(f"/proc/{pid}/cwd"), "/", "its working directory")
    stop(g, pid)


def test_sigint_and_sighup(g):
    pid = in_background(g)
    os.kill(pid, signal.SIGHUP)
    reads(g)
    guild.true(g.mounted(), "still mounted after SIGHUP")
    os.kill(pid, signal.SIGINT)
    reap(pid)
    guild.true(not g.mounted(), "unmounted by SIGINT")


def test_sigterm_with_open_files(g):
    pid = in_background(g)
    fd = g.alice.call(os.open, g.shared.at(g.alice, "f"), os.O_RDONLY)
    os.kill(pid, signal.SIGTERM)
    reap(pid)
    guild.true(not g.mounted(), "unmounted")
    guild.true(g.alice.errno(os.fstat, fd) != 0, "the descriptor is dead")
    g.alice.attempt(os.close, fd)  # flushes, which nobody is there to answer


def test_umount(g):
    pid = in_background(g)
    done = run("umount", g.mountpoint)
    guild.equal(done.returncode, 0, f"umount: {done.stderr}")
    reap(pid)


def test_guildfs_mount_and_umount(g):
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    environment = dict(os.environ, PATH=f"{pathlib.Path(guild.GUILDFSD).parent}:{os.environ['PATH']}")
    done = run(guild.GUILDFS, "mount", g.store, g.mountpoint, env=environment)
    guild.equal(done.returncode, 0, f"guildfs mount: {done.stderr}")
    reads(g)
    status = run(guild.GUILDFS, "status", g.mountpoint, env=environment)
    guild.equal(status.returncode, 0, f"guildfs status: {status.stderr}")
    guild.true(str(g.mountpoint) in status.stdout, "status names the mount")
    pid = g.daemon_pids()[0]
    done = run(guild.GUILDFS, "umount", g.mountpoint, env=environment)
    guild.equal(done.returncode, 0, f"guildfs umount: {done.stderr}")
    reap(pid)
    guild.true(not g.mounted(), "unmounted")


def test_a_crash(g):
    """After kill -9 the mount is dead; mounting again over it repairs it."""
    pid = in_background(g)
    fd = g.alice.call(os.open, g.shared.at(g.alice, "f"), os.O_RDWR)
    g.alice.call(os.chdir, g.shared.at(g.alice))
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    guild.outcome(g.alice, ENOTCONN, os.listdir, str(g.mountpoint))
    pid = in_background(g)
    reads(g)
    guild.true(g.alice.errno(os.pwrite, fd, b"x", 0) != 0, "the old descriptor is dead")
    g.alice.attempt(os.close, fd)
    g.alice.call(os.chdir, "/")
    stop(g, pid)


def test_a_service_manager(g):
    """Type=notify: ready once the mount answers, alive from time to time, stopping at the end."""
    clean(g)
    path = g.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        environment = {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "200000"}
        environment.pop("WATCHDOG_PID", None)
        daemon = subprocess.Popen([guild.GUILDFSD, "-f", str(g.store), str(g.mountpoint)], env=environment,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            said = manager.recv(4096).decode().split("\n")
            guild.equal(said[0], "READY=1", "first said")
            guild.true(said[1].startswith("STATUS=Serving "), f"a status: {said}")
            reads(g)
            guild.equal([manager.recv(4096) for _ in range(3)], [b"WATCHDOG=1"] * 3, "while all is well")
            daemon.terminate()
            said = manager.recv(4096)
            while said == b"WATCHDOG=1":
                said = manager.recv(4096)
            guild.equal(said.split(b"\n")[0], b"STOPPING=1", "at the end")
            guild.equal(daemon.wait(20), 0, "exit status")
        finally:
            daemon.kill()
            daemon.wait()


def test_a_daemon_that_hangs(g):
    """umount --force ends the connection: who waits gets an error, and the daemon ends once it can."""
    pid = in_background(g)
    os.kill(pid, signal.SIGSTOP)
    waiting = g.alice.another_worker()
    waiting.start(os.listdir, g.shared.at(g.alice))
    try:
        done = run(guild.GUILDFS, "umount", "--force", g.mountpoint)
        guild.equal(done.returncode, 0, f"umount --force: {done.stderr}")
        guild.true(not g.mounted(), "it is unmounted")
        guild.true(waiting.finish(20)[0] != 0, "who waited gets an error")
    finally:
        os.kill(pid, signal.SIGCONT)
        waiting.close()
    guild.eventually(lambda: pid not in g.daemon_pids(), "the daemon ends")
    reap(pid)
    pid = in_background(g)
    reads(g)
    stop(g, pid)


def test_what_was_written_before_a_crash(g):
    pid = in_background(g)
    path = g.shared.at(g.alice, "written")
    fd = g.alice.call(os.open, path, os.O_WRONLY | os.O_CREAT, 0o644)
    g.alice.call(os.write, fd, b"x" * 100_000)
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    guild.equal((g.shared.backing / "written").stat().st_size, 100_000, "size in the backing folder")
    g.alice.attempt(os.close, fd)
    pid = in_background(g)
    guild.equal(g.alice.errno(os.unlink, path), 0, "its uploader may still remove it")
    stop(g, pid)


def test_many_starts_and_stops(g):
    for _ in range(5):
        pid = in_background(g)
        reads(g)
        stop(g, pid)


def test_wrong_arguments(g):
    program = guild.GUILDFSD
    refused(g, program, status=2)
    refused(g, program, g.store, status=2)
    refused(g, program, g.store, g.mountpoint, "-o", "no-such-option=1", status=2, says=["no-such-option"])
    refused(g, program, g.store, g.mountpoint, "-o", "attr_timeout=soon", status=2, says=["attr_timeout"])
    refused(g, program, g.store, g.mountpoint, "-o", "user=nobody-of-that-name", says=["nobody-of-that-name"])
    refused(g, program, g.store, g.mountpoint, "--no-such-flag", status=2)


def test_a_bad_store(g):
    program = guild.GUILDFSD
    refused(g, program, g.dir / "nowhere", g.mountpoint, says=[g.dir / "nowhere"])
    empty = guild.make_folder(g.dir / "empty")
    refused(g, program, empty, g.mountpoint)
    broken = guild.make_folder(g.dir / "broken", 0o700)
    guild.make_file(broken / "guildfs.db", os.urandom(8192), 0o600)
    refused(g, program, broken, g.mountpoint)
    older = guild.make_folder(g.dir / "text", 0o700)
    guild.make_file(older / "guildfs.db", b"", 0o600)
    refused(g, program, older, g.mountpoint)


def test_a_bad_mountpoint(g):
    program = guild.GUILDFSD
    refused(g, program, g.store, g.dir / "missing", says=[g.dir / "missing"])
    refused(g, program, g.store, guild.make_file(g.dir / "a-file"))
    full = guild.make_folder(g.dir / "full")
    guild.make_file(full / "file")
    refused(g, program, g.store, full)
    guild.true((full / "file").exists(), "what was there is there")


def test_a_mountpoint_in_use(g):
    pid = in_background(g)
    done = run(guild.GUILDFSD, g.store, g.mountpoint)
    guild.true(done.returncode != 0, "mounting twice is refused")
    reads(g)
    stop(g, pid)
    guild.true(not g.mounted(), "there was one mount")


def test_only_root_mounts(g):
    """And an unprivileged user gets one line, no crash."""
    clean(g)

    def drop():
        os.setgroups([])
        os.setresgid(60001, 60001, 60001)
        os.setresuid(60001, 60001, 60001)

    done = run(guild.reachable(guild.GUILDFSD, g.dir), g.store, g.mountpoint, preexec_fn=drop)
    guild.true(done.returncode != 0 and done.stderr.strip(), "refused with a message")
    guild.true(not g.mounted(), "nothing is mounted")


def test_help_and_version(g):
    for flag in ("--help", "-h", "--version", "-V"):
        done = run(guild.GUILDFSD, flag)
        guild.equal((done.returncode, bool(done.stdout), done.stderr), (0, True, ""), f"guildfsd {flag}")


def test_a_single_view(g):
    pid = in_background(g, None, "-o", "user=alice")
    top = str(g.mountpoint)
    guild.equal(g.alice.call(calls.read_file, top + "/my/files/atlas/f"), b"content", "alice's view is the root")
    guild.outcome(g.bob, (EACCES, ENOENT), os.listdir, top)
    guild.outcome(g.bob, (EACCES, ENOENT), os.stat, top + "/my/files/atlas/f")
    stop(g, pid)


def test_a_single_view_for_another_uid(g):
    """As for a container, where everybody is 1000."""
    pid = in_background(g, None, "-o", "user=alice,uid=61000,gid=61000")
    top = str(g.mountpoint)
    inside = guild.worker.Worker(61000, 61000)
    guild.equal(inside.call(calls.read_file, top + "/my/files/atlas/f"), b"content", "read by the uid of the mount")
    guild.equal(inside.call(calls.stat_tuple, top + "/my/files/atlas/f")[3:5], (61000, 61000), "owner shown")
    inside.call(calls.write_file, top + "/my/files/atlas/new", b"x")
    guild.equal(guild.upload_record(g.shared.backing / "new")[0], g.alice.uuid, "uploader")
    inside.call(os.unlink, top + "/my/files/atlas/new")
    guild.outcome(g.alice, (EACCES, ENOENT), os.listdir, top)  # on this mount, alice's own uid is a stranger
    inside.close()
    stop(g, pid)


def test_read_only(g):
    pid = in_background(g, None, "-o", "ro")
    reads(g)
    guild.equal(g.alice.errno(calls.write_file, g.shared.at(g.alice, "f"), b"x", os.O_WRONLY), 30, "EROFS")
    stop(g, pid)


def helper(g, name):
    """guildfsd under one of the names that mount(8) looks for."""
    folder = g.dir / "sbin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    if not path.exists():
        path.symlink_to(guild.GUILDFSD)
    return path


def test_mount_helper(g):
    """What mount(8) runs for a line of fstab."""
    for name in ("mount.guildfs", "mount.fuse.guildfs"):
        pid = in_background(g, helper(g, name), "-o", "rw,nosuid,nodev,noauto,nofail,_netdev,x-systemd.automount")
        reads(g)
        stop(g, pid)


def test_mount_program(g):
    """mount(8) itself, with the helper in its place by an overlay that only this test sees."""
    helper(g, "mount.guildfs")
    helper(g, "mount.fuse.guildfs")
    place = os.path.realpath("/sbin")
    upper, work = g.dir / "upper", g.dir / "work"
    for folder in (upper, work):
        folder.mkdir()
    for name in ("mount.guildfs", "mount.fuse.guildfs"):
        (upper / name).symlink_to(guild.GUILDFSD)
    try:
        calls.mount("overlay", place, "overlay", 0, f"lowerdir={place},upperdir={upper},workdir={work}")
    except OSError as error:
        print(f"#    not tried, no overlay here: {error}")
        return
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    try:
        for kind in ("guildfs", "fuse.guildfs"):
            done = run("mount", "-t", kind, g.store, g.mountpoint, "-o", "nofail,_netdev,user=alice")
            guild.equal(done.returncode, 0, f"mount -t {kind}: {done.stderr}")
            with open("/proc/self/mountinfo") as table:
                line = next(line for line in table if line.split()[4] == str(g.mountpoint))
            guild.equal(line.split(" - ")[1].split()[0], "fuse.guildfs", "type of the mount")
            guild.equal(g.alice.call(calls.read_file, f"{g.mountpoint}/my/files/atlas/f"), b"content", "content")
            pid = g.daemon_pids()[0]
            guild.equal(run("umount", g.mountpoint).returncode, 0, "umount")
            reap(pid)
    finally:
        calls.umount2(place, calls.MNT_DETACH)
        shutil.rmtree(work, ignore_errors=True)


guild.main(mounted=False)
