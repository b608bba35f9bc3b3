"""Worker processes: each runs as one unprivileged user and does there what it is told.

A worker is a fork of the test, so that every function that the test has imported can be named to
it. Calls go over a socket pair, pickled; a call costs some 30 µs, a batch of calls as much as one.
"""

import atexit
import os
import pickle
import select
import signal
import socket
import struct
import sys
import traceback

from calls import PR_SET_PDEATHSIG, prctl

_header = struct.Struct("=I")
_sockets = []  # the test's ends of all workers: a new worker closes them, so that each sees its own end of file
_workers = []


class WorkerError(Exception):
    """Something other than an OSError went wrong in the worker; the text is its traceback."""


def _send(sock, value):
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    sock.sendall(_header.pack(len(data)) + data)


def _receive_exactly(sock, size):
    data = bytearray()
    while len(data) < size:
        chunk = sock.recv(min(size - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _receive(sock):
    size = _header.unpack(_receive_exactly(sock, _header.size))[0]
    return pickle.loads(_receive_exactly(sock, size))


def _perform(function, arguments):
    """(errno, value); errno -1 with a traceback for what is no OSError."""
    try:
        return 0, function(*arguments)
    except OSError as error:
        return error.errno or -1, str(error)
    except Exception:
        return -1, traceback.format_exc()


def _serve(sock):
    while True:
        try:
            calls = _receive(sock)
        except EOFError:
            os._exit(0)
        _send(sock, [_perform(function, arguments) for function, arguments in calls])


class Worker:
    """A process with the given uid and gid, no supplementary groups, no capabilities (unless uid is 0)."""

    def __init__(self, uid, gid, umask=0o022):
        ours, theirs = socket.socketpair()
        self.uid, self.gid = uid, gid
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(theirs, ours, umask)
        theirs.close()
        self.socket = ours
        _sockets.append(ours)
        _workers.append(self)

    def _child(self, sock, other_end, umask):
        try:
            # The parent's cleaning up is not this process's business.
            atexit._clear()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.alarm(0)
            other_end.close()
            for inherited in _sockets:
                inherited.close()
            os.chdir("/")
            os.umask(umask)
            os.setgroups([])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after setresuid(2), which clears it
            _serve(sock)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    # ---- one call ----

    def call(self, function, *arguments):
        """The function's value. Raises the OSError that it raised."""
        return self._value(self.attempt(function, *arguments))

    def attempt(self, function, *arguments):
        """(errno, value): (0, value) or (errno, message)."""
        self.start(function, *arguments)
        return self.finish()

    def errno(self, function, *arguments):
        """0 or the errno."""
        return self.attempt(function, *arguments)[0]

    # ---- many at once ----

    def batch(self, calls):
        """[(function, arguments)] performed in order; [(errno, value)]."""
        self.start_batch(calls)
        return self.finish_batch()

    def start_batch(self, calls):
        _send(self.socket, calls)

    def finish_batch(self):
        results = _receive(self.socket)
        for number, value in results:
            if number == -1:
                raise WorkerError(value)
        return results

    # ---- a call that may block ----

    def start(self, function, *arguments):
        _send(self.socket, [(function, arguments)])

    def ready(self, timeout):
        """Whether the call that was started has ended, waiting up to timeout seconds."""
        return bool(select.select([self.socket], [], [], timeout)[0])

    def finish(self, timeout=None):
        if timeout is not None and not self.ready(timeout):
            raise TimeoutError(f"a call of the process of uid {self.uid} did not end in {timeout} s")
        number, value = _receive(self.socket)[0]
        if number == -1:
            raise WorkerError(value)
        return number, value

    @staticmethod
    def _value(result):
        number, value = result
        if number:
            raise OSError(number, value)
        return value

    # ---- end ----

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            self.close()

    def close(self):
        """Ends the process; its open files close with it."""
        if self in _workers:
            _workers.remove(self)
            _sockets.remove(self.socket)
        self.socket.close()
        if self.pid:
            pid, self.pid = self.pid, 0
            os.waitpid(pid, 0)


def kill_all():
    """For the end of a test, whatever state it is in: does not wait for those that cannot die yet."""
    for worker in list(_workers):
        if worker.pid:
            os.kill(worker.pid, signal.SIGKILL)
        _workers.remove(worker)
        _sockets.remove(worker.socket)
        worker.socket.close()
