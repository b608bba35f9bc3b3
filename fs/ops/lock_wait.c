/*
 * Waiting for a lock, and ending the wait.
 *
 * A thread that sleeps in flock(2) or fcntl(F_OFD_SETLKW) is woken by a signal only. A signal
 * that arrives just before the thread enters the system call is lost, and there is no variant of
 * these calls that would change the signal mask in the same instant. So an ended waiter is
 * signalled again and again, every few milliseconds, until it has returned. The "nudger" thread
 * does that, and exists only once somebody had to wait; a thread that serves requests never waits
 * for a waiter.
 *
 * libfuse calls the interrupt function under the request's own lock, and
 * fuse_req_interrupt_func() takes that lock. So it is never called with our lock held; and once
 * it has unregistered the function, no interrupt is running or will come.
 */
#include "fs/ops/lock_wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>

#include "guildfs/clock.h"
#include "guildfs/log.h"

/* Ignored unless a handler is set, so that a stray one harms nobody. */
#define WAKE_SIGNAL SIGURG

enum {
    NUDGE_INTERVAL_MS = 5,
    SHUTDOWN_LIMIT_MS = 5000,
    STACK_BYTES = 256 * 1024, /* address space, not memory */
};

struct waiter {
    struct gfs_lock_waiters *waiters;
    fuse_req_t req;
    const void *view;
    struct gfs_lock_request request;
    void (*done)(void *context, int status);
    void *context;
    /* under the waiters' lock */
    pthread_t thread;
    bool running; /* `thread` is set, and may be signalled */
    bool ended;   /* is to stop waiting */
    struct waiter *next, *previous;
};

struct gfs_lock_waiters {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a waiter was ended, or has left, or `stopping` */
    struct waiter *first;
    unsigned count;
    bool stopping;
    bool has_nudger;
    pthread_t nudger;
    struct sigaction previous_action;
};

int gfs_lock_request_run(const struct gfs_lock_request *request, bool wait) {
    int result;

    if (request->whole_file) {
        int operation = request->lock.l_type == F_RDLCK ? LOCK_SH : request->lock.l_type == F_WRLCK ? LOCK_EX : LOCK_UN;
        result = flock(request->fd, operation | (wait ? 0 : LOCK_NB));
    } else {
        struct flock lock = request->lock;
        lock.l_pid = 0; /* the kernel demands it of OFD locks */
        result = fcntl(request->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    }
    if (result == 0)
        return 0;
    if (errno == EACCES) /* what fcntl(2) may say instead */
        return -EAGAIN;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

static void wake(int signal_number) {
    (void)signal_number; /* the interrupted system call is all that is wanted */
}

int gfs_lock_waiters_new(struct gfs_lock_waiters **out) {
    struct gfs_lock_waiters *waiters = calloc(1, sizeof(*waiters));
    struct sigaction action = {.sa_handler = wake}; /* no SA_RESTART */
    pthread_condattr_t attributes;

    if (!waiters)
        return -ENOMEM;
    if (sigaction(WAKE_SIGNAL, &action, &waiters->previous_action) != 0) {
        int error = errno;
        free(waiters);
        return -error;
    }
    pthread_mutex_init(&waiters->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiters->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = waiters;
    return 0;
}

static void wait_until(struct gfs_lock_waiters *waiters, int64_t deadline_ns) {
    struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};

    pthread_cond_timedwait(&waiters->changed, &waiters->lock, &deadline);
}

/* Under the lock. Whether there is one that was ended and has not returned. */
static bool signal_ended(struct gfs_lock_waiters *waiters) {
    bool any = false;

    for (struct waiter *waiter = waiters->first; waiter; waiter = waiter->next) {
        if (!waiter->ended || !waiter->running)
            continue;
        pthread_kill(waiter->thread, WAKE_SIGNAL);
        any = true;
    }
    return any;
}

static void *nudge(void *context) {
    struct gfs_lock_waiters *waiters = context;

    pthread_mutex_lock(&waiters->lock);
    while (!waiters->stopping || waiters->count > 0) {
        if (signal_ended(waiters))
            wait_until(waiters, gfs_monotonic_ns() + NUDGE_INTERVAL_MS * 1000000LL);
        else
            pthread_cond_wait(&waiters->changed, &waiters->lock);
    }
    pthread_mutex_unlock(&waiters->lock);
    return NULL;
}

/* Under the lock. */
static void end_waiter(struct waiter *waiter) {
    waiter->ended = true;
    if (waiter->running)
        pthread_kill(waiter->thread, WAKE_SIGNAL);
    pthread_cond_broadcast(&waiter->waiters->changed);
}

static void on_interrupt(fuse_req_t req, void *context) {
    struct waiter *waiter = context;

    (void)req;
    pthread_mutex_lock(&waiter->waiters->lock);
    end_waiter(waiter);
    pthread_mutex_unlock(&waiter->waiters->lock);
}

static bool is_ended(struct waiter *waiter) {
    pthread_mutex_lock(&waiter->waiters->lock);
    bool ended = waiter->ended;
    pthread_mutex_unlock(&waiter->waiters->lock);
    return ended;
}

static void enter(struct waiter *waiter) {
    sigset_t signals;

    sigfillset(&signals);
    sigdelset(&signals, WAKE_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &signals, NULL); /* the daemon's signals go to its main thread */
    pthread_mutex_lock(&waiter->waiters->lock);
    waiter->thread = pthread_self();
    waiter->running = true;
    pthread_mutex_unlock(&waiter->waiters->lock);
}

/* Under the lock. */
static void remove_waiter(struct waiter *waiter) {
    struct gfs_lock_waiters *waiters = waiter->waiters;

    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        waiters->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    waiters->count--;
    pthread_cond_broadcast(&waiters->changed);
}

/* Leaves the list last: until then gfs_lock_waiters_free() waits, and the session stays. */
static void leave(struct waiter *waiter, int status) {
    struct gfs_lock_waiters *waiters = waiter->waiters;

    pthread_mutex_lock(&waiters->lock);
    waiter->running = false;
    pthread_mutex_unlock(&waiters->lock);
    fuse_req_interrupt_func(waiter->req, NULL, NULL);
    waiter->done(waiter->context, status);
    fuse_reply_err(waiter->req, -status);

    pthread_mutex_lock(&waiters->lock);
    remove_waiter(waiter);
    pthread_mutex_unlock(&waiters->lock);
    free(waiter);
}

static void *wait_for_lock(void *context) {
    struct waiter *waiter = context;
    int status = -EINTR;

    enter(waiter);
    fuse_req_interrupt_func(waiter->req, on_interrupt, waiter);
    while (status == -EINTR && !is_ended(waiter))
        status = gfs_lock_request_run(&waiter->request, true);
    leave(waiter, status);
    return NULL;
}

/* Under the lock. */
static unsigned count_of_view(const struct gfs_lock_waiters *waiters, const void *view) {
    unsigned count = 0;

    for (const struct waiter *waiter = waiters->first; waiter; waiter = waiter->next)
        count += waiter->view == view;
    return count;
}

/* Under the lock. */
static int add_waiter(struct gfs_lock_waiters *waiters, struct waiter *waiter) {
    if (waiters->stopping)
        return -EINTR;
    if (waiters->count >= GFS_LOCK_WAITERS_MAX || count_of_view(waiters, waiter->view) >= GFS_LOCK_WAITERS_OF_VIEW_MAX)
        return -ENOLCK;
    if (!waiters->has_nudger) {
        if (pthread_create(&waiters->nudger, NULL, nudge, waiters) != 0)
            return -ENOLCK;
        waiters->has_nudger = true;
    }
    waiter->next = waiters->first;
    if (waiter->next)
        waiter->next->previous = waiter;
    waiters->first = waiter;
    waiters->count++;
    return 0;
}

static int start_thread(struct waiter *waiter) {
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&thread, &attributes, wait_for_lock, waiter);
    pthread_attr_destroy(&attributes);
    return -error;
}

int gfs_lock_wait(struct gfs_lock_waiters *waiters, fuse_req_t req, const void *view,
                  const struct gfs_lock_request *request, void (*done)(void *context, int status), void *context) {
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (!waiter)
        return -ENOLCK;
    *waiter = (struct waiter){
        .waiters = waiters, .req = req, .view = view, .request = *request, .done = done, .context = context};
    pthread_mutex_lock(&waiters->lock);
    int status = add_waiter(waiters, waiter);
    pthread_mutex_unlock(&waiters->lock);
    if (status == 0) {
        if (start_thread(waiter) == 0)
            return 0;
        pthread_mutex_lock(&waiters->lock);
        remove_waiter(waiter);
        pthread_mutex_unlock(&waiters->lock);
        status = -ENOLCK;
    }
    free(waiter);
    return status;
}

/* Under the lock. Bounded: a backing filesystem that hangs must not keep the daemon alive. A
 * second call does not wait again. */
static bool end_all(struct gfs_lock_waiters *waiters) {
    const int64_t deadline_ns = gfs_monotonic_ns() + SHUTDOWN_LIMIT_MS * 1000000LL;

    if (waiters->stopping)
        return waiters->count == 0;
    waiters->stopping = true;
    for (struct waiter *waiter = waiters->first; waiter; waiter = waiter->next)
        end_waiter(waiter);
    pthread_cond_broadcast(&waiters->changed);
    while (waiters->count > 0 && gfs_monotonic_ns() < deadline_ns)
        wait_until(waiters, deadline_ns);
    return waiters->count == 0;
}

bool gfs_lock_waiters_stop(struct gfs_lock_waiters *waiters) {
    pthread_mutex_lock(&waiters->lock);
    bool ended = end_all(waiters);
    unsigned left = waiters->count;
    pthread_mutex_unlock(&waiters->lock);

    if (!ended)
        gfs_log(GFS_LOG_WARNING, "lock-waiters-stuck", "count=%u", left);
    return ended;
}

void gfs_lock_waiters_free(struct gfs_lock_waiters *waiters) {
    if (waiters->has_nudger)
        pthread_join(waiters->nudger, NULL);
    sigaction(WAKE_SIGNAL, &waiters->previous_action, NULL);
    pthread_cond_destroy(&waiters->changed);
    pthread_mutex_destroy(&waiters->lock);
    free(waiters);
}
