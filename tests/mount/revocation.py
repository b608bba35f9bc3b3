#!/usr/bin/env python3
"""Every way in that a program can have, when the right is taken away: refused, or listed as what is left.

    revocation.py --holder build/bin/holder            # the table must be the one of docs/revocation.md
    revocation.py --holder build/bin/holder --write    # puts it there

bob holds a file by every way (tests/lib/holder.c), loses the right, and tries. `guildfs revoke --wait` has ended by
then: nothing here polls. alice holds the same file by the same ways all the time, and must not notice anything.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import boot  # noqa: F401
import guild

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/revocation.md"
BEGIN, END = "<!-- the table of tests/mount/revocation.py -->\n", "<!-- end of the table -->\n"
VARIANTS = [("revocable", "poison"), ("revocable", "kill"), ("fast", "poison"), ("fast", "kill")]
WAYS = {
    "stat": "stat(2) of the path",
    "open": "open(2) of the path",
    "read": "read by an open descriptor",
    "write": "write by an open descriptor",
    "fstat": "fstat(2) of an open descriptor",
    "ftruncate": "ftruncate(2) of an open descriptor",
    "openat": "openat(2) from an open folder",
    "readdir": "listing an open folder",
    "cwd": "a name in the working directory",
    "fchdir": "fchdir(2) to an open folder, and a name there",
    "proc-fd": "reopening /proc/self/fd/N",
    "o-path": "reopening an O_PATH descriptor",
    "passed": "read by a descriptor passed to another person's process",
    "splice": "splice(2) from an open descriptor",
    "sendfile": "sendfile(2) from an open descriptor",
    "copy-from": "copy_file_range(2) from an open descriptor",
    "copy-to": "copy_file_range(2) to an open descriptor",
    "mmap-new": "a new mapping of an open descriptor",
    "mmap-read": "reading an old shared mapping",
    "mmap-write": "writing to an old shared mapping",
    "mmap-untouched": "a page of an old mapping that was not read before",
    "mmap-private": "an old private mapping",
}
# What may be left, and why. Everything else must be refused.
RESIDUE = {
    "splice": "the kernel splices from the stored file without looking at the inode",
    "sendfile": "as splice",
    "mmap-new": "the kernel maps the stored file without looking at the inode",
    "mmap-read": "the pages are those of the stored file",
    "mmap-write": "the pages are those of the stored file",
    "mmap-untouched": "the pages are those of the stored file",
    "mmap-private": "the pages are those of the stored file",
}
REFUSALS = {"EACCES", "ENOENT", "EIO", "EOF", "SIGBUS", "SIGKILL"}
holder_program = None
table = {}


class Holder:
    def __init__(self, g, user, other_uid, share):
        global holder_program
        if not str(holder_program).startswith(str(g.dir)):
            holder_program = guild.reachable(holder_program, g.dir)
        scratch = g.dir / f"scratch-{user.name}-{share.name}"
        scratch.write_bytes(b"")
        os.chown(scratch, user.uid, user.gid)
        command = [str(holder_program), str(user.uid), str(other_uid), share.at(user), "f", str(scratch),
                   g.elsewhere.at(user, f"{user.name}-{share.name}")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        guild.true(words[:1] == ["ready"], f"{user.name} holds the file: {words}")
        self.pids = [int(word) for word in words[1:]]

    def outcomes(self):
        """By way. A process that was killed has lost them all."""
        try:
            self.process.stdin.write("all\n")
            self.process.stdin.flush()
            found = dict(self.process.stdout.readline().split() for _ in WAYS)
        except (BrokenPipeError, ValueError):
            found = {}
        if found:
            return found
        code = self.process.wait(10)
        guild.equal(code, -signal.SIGKILL, "how the holder ended")
        return {way: "SIGKILL" for way in WAYS}

    def end(self):
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


def wait_report(g, *arguments):
    """What --wait says, as an object."""
    done = subprocess.run([guild.GUILDFS, "--store", str(g.store), "--json", *arguments, "--wait"],
                          capture_output=True, text=True, timeout=60)
    guild.equal(done.returncode, 0, f"exit code of {arguments}: {done.stderr}")
    return json.loads(done.stderr.splitlines()[-1])["in_force"]


def prepare(g, mode, on_revoke):
    if "elsewhere" not in vars(g):
        g.elsewhere = g.share("elsewhere", bob="editor", alice="editor")
    share = g.share(f"{mode}-{on_revoke}", bob="editor", alice="editor",
                    settings=(f"data={mode}", f"on_revoke={on_revoke}"))
    guild.make_file(share.backing / "f", b"x" * 4096 * 64, 0o666)
    return share


def run_variant(g, mode, on_revoke):
    share = prepare(g, mode, on_revoke)
    alice, bob = Holder(g, g.alice, g.carol.uid, share), Holder(g, g.bob, g.carol.uid, share)
    try:
        before = bob.outcomes()
        guild.equal({way for way, found in before.items() if found != "ok"}, set(), "what does not work before")
        report = wait_report(g, "revoke", "user:bob", share.ref)
        table[mode, on_revoke] = bob.outcomes()
        guild.equal({way: found for way, found in alice.outcomes().items() if found != "ok"}, {}, "what alice notices")
        check_report(report, mode, on_revoke, bob)
        check_outcomes(table[mode, on_revoke], mode, on_revoke)
    finally:
        alice.end()
        bob.end()


def check_outcomes(outcomes, mode, on_revoke):
    for way, found in outcomes.items():
        if found in REFUSALS:
            continue
        left = mode == "fast" and on_revoke == "poison" and way in RESIDUE
        guild.true(left and found == "ok", f"{way} with data={mode}, on_revoke={on_revoke} ends with {found}")


def check_report(report, mode, on_revoke, bob):
    """--wait names exactly the processes from which something could not be taken back."""
    guild.equal(report["mounts"], 1, "mounts")
    wanted = set(bob.pids) if mode == "fast" and on_revoke == "poison" else set()
    guild.equal({each["pid"] for each in report["not_closed"]}, wanted, "processes that hold on")
    for each in report["not_closed"]:
        guild.equal((each["program"], each["user"], each["share"]), ("holder", "bob", f"files/fast-{on_revoke}"), "named")
        is_bob = each["pid"] == bob.pids[0]
        guild.equal((each["descriptors"], each["mappings"]), (3, 3) if is_bob else (1, 0), "what it holds")


def test_revocable_poison(g):
    run_variant(g, "revocable", "poison")


def test_revocable_kill(g):
    run_variant(g, "revocable", "kill")


def test_fast_poison(g):
    run_variant(g, "fast", "poison")


def test_fast_kill(g):
    run_variant(g, "fast", "kill")


# ---- the page ----

def cell(outcome):
    return "**left**" if outcome == "ok" else outcome


def page_text():
    lines = ["| way in | " + " | ".join(f"{mode}, {on_revoke}" for mode, on_revoke in VARIANTS) + " |",
             "|---|" + "---|" * len(VARIANTS)]
    for way, words in WAYS.items():
        lines.append(f"| {words} | " + " | ".join(cell(table[variant][way]) for variant in VARIANTS) + " |")
    lines += ["", "What is left, and why:", ""]
    lines += [f"- {WAYS[way]}: {reason}." for way, reason in RESIDUE.items()
              if any(table[variant][way] == "ok" for variant in VARIANTS)]
    return "\n".join(lines) + "\n"


def without_errnos(text):
    """With which errno something is refused is the kernel's affair, and may change with it."""
    return re.sub(r"\| (" + "|".join(REFUSALS - {"SIGKILL"}) + r")(?= \|)", "| refused", text)


def test_zz_the_page_is_current(_):
    if len(table) < len(VARIANTS):
        return  # only some of the tests were asked for
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    old, tail = rest.split(END)
    if write_page:
        PAGE.write_text(head + BEGIN + page_text() + END + tail)
    else:
        guild.equal(without_errnos(old), without_errnos(page_text()), f"the table in {PAGE.name}; --write makes it anew")


def take_option(name, has_value):
    if name not in sys.argv:
        return None
    at = sys.argv.index(name)
    value = sys.argv[at + 1] if has_value else True
    del sys.argv[at:at + 1 + has_value]
    return value


holder_program = take_option("--holder", True) or str(pathlib.Path(guild.GUILDFS).parent / "holder")
write_page = take_option("--write", False)

guild.main(users=["alice", "bob", "carol"])
