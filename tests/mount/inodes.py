#!/usr/bin/env python3
"""Very many cached inodes: what one costs the daemon, and that descriptors stay bounded.

    python3 tests/mount/inodes.py                    # 20,000
    python3 tests/mount/inodes.py --inodes 1000000   # takes minutes, and 5 GB of the kernel's memory
"""

import argparse
import json
import os
import resource
import subprocess
import sys

import boot  # noqa: F401
import guild

IN_FOLDER = 1000
LIMIT_BYTES = 300
OPTIONS = "attr_timeout=3600,entry_timeout=3600"


def fill(folder, count):
    for number in range(0, count, IN_FOLDER):
        below = guild.make_folder(folder / f"d{number // IN_FOLDER}")
        fd = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
        for i in range(min(IN_FOLDER, count - number)):
            os.close(os.open(f"f{i}", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd))
        os.close(fd)


def stat_all(path):
    """Lists every folder, and asks for every file's size. The number of files."""
    count = 0
    with os.scandir(path) as folders:
        for folder in folders:
            with os.scandir(folder.path) as files:
                for file in files:
                    count += file.stat(follow_symlinks=False).st_size == 0
    return count


def open_some(path, every):
    count = 0
    for folder in sorted(os.listdir(path)):
        for i in range(0, len(os.listdir(os.path.join(path, folder))), every):
            os.close(os.open(os.path.join(path, folder, f"f{i}"), os.O_RDONLY))
            count += 1
    return count


def status(g):
    done = subprocess.run([guild.GUILDFS, "--json", "status", str(g.mountpoint)], check=True, capture_output=True)
    return json.loads(done.stdout)


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def most_descriptors(pid):
    """A quarter of what the daemon may have is for the cache (fs/stripe.c); some more are for other things."""
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] // 4 + 100


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inodes", type=int, default=20_000)
    arguments = parser.parse_args()
    guild.require_mounts()
    guild.end_on_signals(280 if arguments.inodes <= 100_000 else 7200)
    with guild.Guild(users=["alice"], options=OPTIONS, in_memory=arguments.inodes <= 100_000) as g:
        share = g.share("atlas", alice="view,download")
        fill(share.backing, arguments.inodes)
        g.remount()
        path = share.at(g.alice)
        g.alice.call(os.listdir, path)
        pid = g.daemon.pid
        before = resident_bytes(pid)
        guild.equal(g.alice.call(stat_all, path), arguments.inodes, "files that are shown")
        each = (resident_bytes(pid) - before) / arguments.inodes
        found = status(g)
        print(f"{found['backings']} cached inodes, {each:.0f} bytes each, {found['descriptors']} descriptors cached, "
              f"{descriptors(pid)} open")
        guild.true(found["backings"] >= arguments.inodes, "all of them are cached")
        guild.true(each <= LIMIT_BYTES, f"an inode costs at most {LIMIT_BYTES} bytes")
        opened = g.alice.call(open_some, path, max(1, arguments.inodes // 20_000))
        print(f"{descriptors(pid)} open after opening {opened}")
        guild.true(opened > most_descriptors(pid), "more were opened than may be cached")
        guild.true(descriptors(pid) <= most_descriptors(pid), "descriptors are bounded")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except guild.Failure as failure:
        print(f"FAIL {failure}")
        sys.exit(1)
