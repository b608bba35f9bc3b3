"""Where a run works: a scratch directory, and in it a filesystem in a loop file.

The program has a mount namespace of its own, the loop device goes with its last mount, and the file of the
filesystem has no name any more once it is mounted: however a run ends, nothing of it stays mounted or attached.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import calls
import person

KINDS = ("ext4", "xfs", "btrfs", "host")
SIZE_BYTES = 12 << 30  # sparse

# ext4 zeroes its inode tables in the background when it is not told to do it at once. An inode for every 4 KiB:
# there will be a million of them.
MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-F", "-i", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}


class Unusable(Exception):
    """Something that a run needs is not there; the text says what to do."""


def private_mounts():
    try:
        calls.unshare(calls.CLONE_NEWNS)
        calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
    except OSError as error:
        raise Unusable(f"cannot make a mount namespace: {error.strerror}; run this as root of the machine") from None


def checked(command, what, limit_s=600):
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise Unusable(f"{what}: not done after {limit_s} s") from None
    if done.returncode != 0:
        raise Unusable(f"{what}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def drop_names():
    """Forgets names and attributes, of every filesystem there is, but not data: what "cold" means here. Of what
    was changed only after it was flushed."""
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")


class Scratch:
    """A directory of the run's own, removed in the end."""

    def __init__(self, parent):
        parent = pathlib.Path(parent).resolve()
        if not parent.is_dir():
            raise Unusable(f"{parent} is no directory; name an existing one with --dir")
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="guildfs-bench-", dir=parent))
        self.path.chmod(0o755)
        try:
            person.run(["true"], self.path)
        except person.CommandFailed:
            self.path.rmdir()
            raise Unusable(f"users cannot reach {parent}; name another directory with --dir") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def folder(self, name):
        path = self.path / name
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
        return path


class Filesystem:
    """One to measure on, mounted while this is entered. host: a plain directory of the scratch directory's."""

    def __init__(self, kind, scratch):
        self.kind, self.scratch = kind, scratch
        self.root = scratch.folder(f"on-{kind}")

    def __enter__(self):
        if self.kind == "host":
            return self
        image = self.scratch.path / f"{self.kind}.image"
        with open(image, "wb") as file:
            file.truncate(SIZE_BYTES)
        try:
            checked([*MKFS[self.kind], image], f"cannot make a filesystem of kind {self.kind}")
            self._attach_and_mount(image)
        finally:
            image.unlink()
        return self

    def _attach_and_mount(self, image):
        device = checked(["losetup", "--find", "--show", image], "cannot attach a loop device")
        try:
            # Not cached twice. Where that is not possible it costs memory, and no system more than another.
            subprocess.run(["losetup", "--direct-io=on", device], capture_output=True)
            checked(["mount", "-t", self.kind, device, self.root], f"cannot mount {self.kind}; has the kernel got it?")
        finally:
            checked(["losetup", "--detach", device], "cannot release a loop device")  # when it is unmounted

    def __exit__(self, *_):
        if self.kind == "host":
            shutil.rmtree(self.root, ignore_errors=True)
        else:
            calls.umount2(self.root, calls.MNT_DETACH)

    def flush(self):
        """What one measurement wrote is on the disk before the next begins."""
        fd = os.open(self.root, os.O_RDONLY)
        try:
            calls.check(calls.libc.syncfs(fd))
        finally:
            os.close(fd)
