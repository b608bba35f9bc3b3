#!/usr/bin/env python3
"""The daemon dies, and rights end before it is there again: who still holds something is found at its next start."""

import json
import mmap
import os
import signal
from errno import EIO

import boot  # noqa: F401
import calls
import guild

kept = []


def hold(path, flags):
    """Opens and maps; the pid, and the descriptor."""
    fd = os.open(path, flags)
    writes = mmap.PROT_WRITE if flags & os.O_RDWR else 0
    kept.append(mmap.mmap(fd, 0, prot=mmap.PROT_READ | writes))
    return os.getpid(), fd


def ended_by(pid):
    found, code = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(code) if found else None


def fast(g, name, on_revoke="poison", **grants):
    share = g.share(name, settings=("data=fast", f"on_revoke={on_revoke}"), **grants)
    guild.make_file(share.backing / "f", b"x" * 4096, 0o666)
    return share


def die(g):
    g.daemon.kill()
    g.daemon.wait(20)
    g.daemon = None


def serves(g):
    said = g.cli("--json", "status", str(g.mountpoint), status=None)
    return said != "" and json.loads(said)["state"] == "serving"  # "": nothing is mounted there


def mount_again(g):
    """The dead mount answers what is cached of it, so that the new one is asked by its socket."""
    g.mount()
    guild.eventually(lambda: serves(g), "the new daemon serves", 20)


def named(g):
    return {each["pid"]: each for each in g.json("status", str(g.mountpoint))["not_closed"]}


def test_who_lost_the_right_is_named(g):
    share = fast(g, "named", bob="view,download", alice="editor")
    bob, alice = g.bob.another_worker(), g.alice.another_worker()
    pid, fd = bob.call(hold, share.at(g.bob, "f"), os.O_RDONLY)
    hers, her_fd = alice.call(hold, share.at(g.alice, "f"), os.O_RDWR)
    die(g)
    guild.equal(bob.call(os.pread, fd, 1, 0), b"x", "what passes through goes on without a daemon")
    g.cli("revoke", "user:bob", share.ref)
    mount_again(g)
    found = named(g)
    guild.equal((found[pid]["user"], found[pid]["share"], found[pid]["descriptors"], found[pid]["mappings"]),
                ("bob", "files/named", 2, 1), "bob's process")  # mmap has a descriptor of its own
    guild.true(hers not in found, "alice may go on")
    guild.equal(alice.call(os.pread, her_fd, 1, 0), b"x", "and does")
    guild.true(f"pid={pid}" in g.log.read_text(), "the log names it, too")
    bob.close()
    guild.true(pid not in named(g), "until it ends")
    alice.close()


def test_who_lost_the_right_is_killed(g):
    share = fast(g, "killed", "kill", bob="view,download", alice="editor")
    bob, alice = g.bob.another_worker(), g.alice.another_worker()
    pid, _ = bob.call(hold, share.at(g.bob, "f"), os.O_RDONLY)
    hers, her_fd = alice.call(hold, share.at(g.alice, "f"), os.O_RDWR)
    die(g)
    g.cli("revoke", "user:bob", share.ref)
    mount_again(g)
    guild.equal(ended_by(pid), -signal.SIGKILL, "how bob's process ended")
    bob.pid = None
    guild.equal(ended_by(hers), None, "alice's")
    alice.close()


def test_nothing_changed(g):
    """A crash alone takes nothing away, not even from who may write only what was just uploaded."""
    share = fast(g, "same", "kill", bob="view,upload")
    bob = g.bob.another_worker()
    path = share.at(g.bob, "new")
    fd = bob.call(os.open, path, os.O_WRONLY | os.O_CREAT, 0o644)
    bob.call(os.write, fd, b"one")
    guild.eventually(lambda: g.json("status", str(g.mountpoint))["settled"] > 0, "settled")
    g.cli("grant", "user:alice", share.ref, "view", "--wait")
    die(g)
    mount_again(g)
    guild.equal(named(g), {}, "named")
    guild.equal(ended_by(bob.pid), None, "bob's process")
    bob.call(os.write, fd, b"two")
    guild.equal((share.backing / "new").read_bytes(), b"onetwo", "content")
    bob.close()


def test_an_orderly_end_takes_it_away(g):
    """A mount that ends while it is used leaves no descriptor behind that goes on without it."""
    share = fast(g, "orderly", bob="editor")
    pid, fd = g.bob.call(hold, share.at(g.bob, "f"), os.O_RDWR)
    guild.equal(g.bob.call(os.pread, fd, 1, 0), b"x", "before")
    g.unmount()
    guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)
    guild.outcome(g.bob, EIO, os.pwrite, fd, b"w", 0)
    mount_again(g)
    guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "f"))[:1], b"x", "anew")


guild.main(users=["alice", "bob"])
