#include "fs/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct gfs_signals {
    struct gfs_signal_actions actions; /* never changes */
    int signal_fd;                     /* never changes */
    int end_fd;                        /* never changes; readable from gfs_signals_end() on */
    pthread_t thread;
};

static sigset_t handled_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

int gfs_signals_block(struct gfs_error *err) {
    sigset_t set = handled_signals();
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code != 0)
        return gfs_error_set(err, code, "cannot block signals: %s", strerror(code));
    /* A client of the status socket, or whoever reads the log, may be gone. */
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static void act(struct gfs_signals *signals, uint32_t number, bool *stopping) {
    const struct gfs_signal_actions *actions = &signals->actions;
    if (number == SIGHUP) {
        actions->reload(actions->context);
    } else if (number == SIGUSR1) {
        actions->report(actions->context);
    } else if (!*stopping) {
        *stopping = true;
        actions->stop(actions->context, signals);
    }
}

static void *run(void *context) {
    struct gfs_signals *signals = context;
    bool stopping = false;
    for (;;) {
        struct pollfd ready[2] = {{.fd = signals->end_fd, .events = POLLIN},
                                  {.fd = signals->signal_fd, .events = POLLIN}};
        struct signalfd_siginfo info;
        int tick_ms = signals->actions.tick_ms;
        int count = poll(ready, 2, tick_ms ? tick_ms : -1);
        if (count < 0 && errno != EINTR)
            return NULL;
        if (count == 0)
            signals->actions.tick(signals->actions.context);
        if (ready[0].revents)
            return NULL;
        if (ready[1].revents && read(signals->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
            act(signals, info.ssi_signo, &stopping);
    }
}

static void close_all(struct gfs_signals *signals) {
    if (signals->signal_fd >= 0)
        close(signals->signal_fd);
    if (signals->end_fd >= 0)
        close(signals->end_fd);
    free(signals);
}

int gfs_signals_start(const struct gfs_signal_actions *actions, struct gfs_signals **out, struct gfs_error *err) {
    struct gfs_signals *signals = calloc(1, sizeof *signals);
    sigset_t set = handled_signals();
    if (!signals)
        return gfs_error_set(err, ENOMEM, "out of memory");
    signals->actions = *actions;
    signals->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signals->end_fd = eventfd(0, EFD_CLOEXEC);
    int code = signals->signal_fd < 0 || signals->end_fd < 0 ? errno : 0;
    if (code == 0)
        code = pthread_create(&signals->thread, NULL, run, signals);
    if (code != 0) {
        close_all(signals);
        return gfs_error_set(err, code, "cannot start the thread for signals: %s", strerror(code));
    }
    *out = signals;
    return 0;
}

bool gfs_signals_await_end(struct gfs_signals *signals, int timeout_ms) {
    struct pollfd ended = {.fd = signals->end_fd, .events = POLLIN};
    return poll(&ended, 1, timeout_ms) > 0;
}

void gfs_signals_end(struct gfs_signals *signals) {
    static const uint64_t one = 1;
    if (!signals)
        return;
    ssize_t written = write(signals->end_fd, &one, sizeof one);
    (void)written; /* an eventfd at 0 takes it */
    pthread_join(signals->thread, NULL);
    close_all(signals);
}
