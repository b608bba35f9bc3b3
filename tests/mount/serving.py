#!/usr/bin/env python3
"""The threads that serve: a request that takes long holds up nobody, and one thread is enough."""

import os
import threading

import boot  # noqa: F401
import calls
import guild

LARGE = 1 << 40  # nobody hashes that in the time of a test


def hash_for_ever(worker, path):
    """A request that does not end before its program does. The thread that waits for it."""
    def ask():
        try:
            worker.call(os.getxattr, path, "user.guildfs.xxh3")
        except Exception:
            pass  # the program was killed

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def stat_new(user, share, name, count):
    """Asks for what the kernel has not cached."""
    for i in range(count):
        guild.make_file(share.backing / f"{name}{i}", b"x" * i)
        guild.equal(user.call(os.stat, share.at(user, f"{name}{i}")).st_size, i, "size")


def with_options(g, options, function):
    g.unmount()
    g.mount(options)
    try:
        function()
    finally:
        g.remount()


def test_a_long_request_holds_up_nobody(g):
    share = g.share("long", alice="view,download", bob="view,download")
    guild.make_file(share.backing / "large")
    os.truncate(share.backing / "large", LARGE)

    def check():
        worker = g.alice.another_worker()
        thread = hash_for_ever(worker, share.at(g.alice, "large"))
        stat_new(g.bob, share, "f", 200)
        guild.true(thread.is_alive(), "the long request has not ended")
        worker.kill()
        thread.join(20)
        guild.true(not thread.is_alive(), "it ends with its program")

    with_options(g, "max_threads=2", check)


def test_one_thread_is_enough(g):
    share = g.share("single", alice="view,download,upload", bob="view,download")

    def check():
        for i in range(50):
            path = share.at(g.alice, f"f{i}")
            g.alice.call(calls.write_file, path, b"text")
            guild.equal(g.bob.call(calls.read_file, share.at(g.bob, f"f{i}")), b"text", "content")

    with_options(g, "max_threads=1", check)


def test_many_at_once(g):
    share = g.share("many", alice="view,download,upload")
    workers = [g.alice.another_worker() for _ in range(12)]

    def work(number):
        for i in range(40):
            path = share.at(g.alice, f"{number}-{i}")
            workers[number].call(calls.write_file, path, b"x" * i)
            done[number] += workers[number].call(os.stat, path).st_size == i

    done = [0] * len(workers)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    for worker in workers:
        worker.close()
    guild.equal(done, [40] * len(workers), "what each has done")


guild.main()
