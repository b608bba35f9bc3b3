"""The files that are worked on: the same on every system, made anew from fixed numbers on every filesystem."""

import os
import random
import shutil
import subprocess

import person

MODULES = 400
MANY = 5000     # empty files in one folder: with data in the page cache an inode is never cold
SMALL = 1000    # files of 1 KiB in one folder
NEEDLE = "only one file has this"


class Sizes:
    def __init__(self, quick):
        self.quick = quick
        self.big = (64 if quick else 256) << 20
        self.random = self.big // 4  # bytes that are read or written at random places
        self.tree_files = 600 if quick else 3000
        self.many = 1000 if quick else MANY
        self.names = 300 if quick else 3000  # created, renamed, unlinked
        self.stat_passes = 21 if quick else 101
        self.open_passes = 3 if quick else 11


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def make_tree(root, files):
    """Like source code: small files of text, some larger, fifteen in a folder, folders in folders."""
    numbers = random.Random(1)
    words = [f"word{number}" for number in range(2000)]
    folder = root
    for number in range(files):
        if number % 15 == 0:
            folder = root / f"part{number // 150}" / f"module{number // 15}"
            folder.mkdir(parents=True)
        size = min(int(numbers.lognormvariate(8.3, 1.1)), 200000)
        line = " ".join(numbers.choices(words, k=12)) + "\n"
        write(folder / f"file{number}.txt", (line * (size // len(line) + 1)).encode()[:size])
    (folder / "needle.txt").write_text(NEEDLE)


def make_modules(root):
    root.mkdir()
    for number in range(MODULES):
        lines = [f"VALUE_{each} = {each * number}\n\n\ndef function_{each}(value):\n    return value + {each}\n\n\n"
                 for each in range(8)]
        (root / f"bench_module_{number}.py").write_text("".join(lines))
    (root / "main.py").write_text("".join(f"import bench_module_{number}\n" for number in range(MODULES)))


def make_numbered(root, count, size):
    root.mkdir()
    for number in range(count):
        write(root / f"{number:06}", b"x" * size)


def make_repository(tree, repository):
    """A bare one, packed, with that tree as its only commit."""
    environment = {**person.ENVIRONMENT, "GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench@localhost",
                   "GIT_COMMITTER_NAME": "bench", "GIT_COMMITTER_EMAIL": "bench@localhost"}
    git = ["git", f"--git-dir={repository}", f"--work-tree={tree}"]
    for command in (["git", "init", "--quiet", "--bare", str(repository)], [*git, "add", "--all"],
                    [*git, "commit", "--quiet", "-m", "tree"], [*git, "repack", "-adq"]):
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, cwd=tree)


def give(root, uid):
    """Everything below to that person."""
    os.chown(root, uid, uid)
    for folder, names, files in os.walk(root):
        for name in names + files:
            os.chown(os.path.join(folder, name), uid, uid, follow_symlinks=False)


class Data:
    """backing: what the systems show. outside: a tar file and a repository on the same filesystem, beside it.
    Only what the workloads need is made."""

    def __init__(self, root, sizes, keys, uid=person.FIRST_UID):
        self.sizes, self.uid = sizes, uid
        self.backing, self.outside = root / "backing", root / "outside"
        for folder in (self.backing, self.outside):
            folder.mkdir()
        if {"read-1m", "read-4k"} & set(keys):
            write(self.backing / "big", os.urandom(1 << 20) * (sizes.big >> 20))
        if {"stat-warm", "open", "open-4"} & set(keys):
            make_numbered(self.backing / "small", SMALL, 1024)
        if {"stat-cold", "list-cold", "ls-cold"} & set(keys):
            make_numbered(self.backing / "many", sizes.many, 0)
        if {"tar", "rm", "grep", "cp", "git"} & set(keys):
            self._make_source()
        if "import" in keys:
            make_modules(self.backing / "modules")
        for folder in (self.backing, self.outside):
            give(folder, uid)
        if "import" in keys:  # by the Python that will import them, which need not be the one that runs this
            person.run(["python3", "-m", "compileall", "-q", "."], self.backing / "modules")

    def _make_source(self):
        make_tree(self.backing / "tree", self.sizes.tree_files)
        subprocess.run(["tar", "-cf", self.outside / "tree.tar", "-C", self.backing, "tree"], check=True)
        make_repository(self.backing / "tree", self.outside / "tree.git")

    def work_folders(self, names):
        """work/NAME for each, empty, made without any of the systems."""
        work = self.backing / "work"
        shutil.rmtree(work, ignore_errors=True)
        for folder in (work, *(work / name for name in names)):
            folder.mkdir()
            os.chown(folder, self.uid, self.uid)
