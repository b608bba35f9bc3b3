#include "fs/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/call.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum {
    TICK_NS = 1000000,
    QUIET_TICKS = 20,   /* so long without a request, and the watcher sleeps */
    READS_PER_LOOK = 4, /* between two looks at the clock */
    CROWDED_TURNS = 4,  /* one program may well send two requests at once, by closing a file */
    DISTURBED_NS = 50000
};

struct server {
    /* never changes */
    struct fuse_session *session;
    int device_fd, stop_fd; /* stop_fd is readable once serving is to end */
    unsigned most_threads;
    bool polls; /* more than one processor: a program can go on while a thread of ours looks */
    /* Counts what leaders do. Odd: the leader serves a request. Whoever moves it on from the value
     * that a leader has set takes the lead from that leader. */
    _Atomic uint64_t turn;
    _Atomic bool watcher_sleeps;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* last in the lock order: nothing is called with it held */
    pthread_cond_t watch; /* for the watcher: the lead is free, or there are requests again */
    pthread_cond_t place; /* for the others: there is no watcher */
    bool led, watched;
    unsigned threads, waiting; /* waiting: for `place` */
    int rc;                    /* the first error that ended it */
    pthread_t *ids;
    /* the leader's */
    struct gfs_poll_window window;
};

/* ---- taking a request ---- */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* -EAGAIN: none came within the window. */
static int look_for_request(struct server *server, struct fuse_buf *buffer, int64_t start_ns) {
    int64_t until_ns = start_ns + server->window.length_ns, now_ns = start_ns, last_ns;
    int size;

    do {
        last_ns = now_ns;
        size = -EAGAIN;
        for (int i = 0; i < READS_PER_LOOK && (size == -EAGAIN || size == -EINTR); i++) {
            relax();
            size = fuse_session_receive_buf(server->session, buffer);
        }
        now_ns = gfs_monotonic_ns();
    } while (size == -EAGAIN && now_ns < until_ns && now_ns - last_ns < DISTURBED_NS &&
             !atomic_load(&server->stopping));
    if (now_ns - last_ns >= DISTURBED_NS)
        gfs_poll_window_disturbed(&server->window);
    else if (size > 0)
        gfs_poll_window_hit(&server->window);
    return size;
}

/* Sleeps until there may be one, or it is over. */
static void sleep_for_request(struct server *server) {
    struct pollfd ready[2] = {{.fd = server->device_fd, .events = POLLIN}, {.fd = server->stop_fd, .events = POLLIN}};
    poll(ready, 2, -1);
}

/* Its size; 0 or an error when serving ends. *at_once: it was there already. */
static int await_request(struct server *server, struct fuse_buf *buffer, bool *at_once) {
    int size = fuse_session_receive_buf(server->session, buffer);
    int64_t start_ns = 0;

    *at_once = size > 0;
    while ((size == -EAGAIN || size == -EINTR) && !atomic_load(&server->stopping)) {
        if (!start_ns) {
            start_ns = gfs_monotonic_ns();
            if (server->window.length_ns) {
                size = look_for_request(server, buffer, start_ns);
                continue;
            }
        }
        sleep_for_request(server);
        size = fuse_session_receive_buf(server->session, buffer);
        if (size > 0 && server->polls)
            gfs_poll_window_missed(&server->window, gfs_monotonic_ns() - start_ns);
    }
    return atomic_load(&server->stopping) ? 0 : size;
}

/*
 * Nobody waits for the answer to one of these. They come in addition to what a program waits for, so they
 * say nothing about how many programs there are.
 */
static bool comes_by_itself(const struct fuse_buf *buffer) {
    struct fuse_in_header header;

    if (buffer->size < sizeof header)
        return false;
    memcpy(&header, buffer->mem, sizeof header);
    return header.opcode == FUSE_FORGET || header.opcode == FUSE_BATCH_FORGET || header.opcode == FUSE_RELEASE ||
           header.opcode == FUSE_RELEASEDIR || header.opcode == FUSE_INTERRUPT;
}

static bool is_crowded(const struct server *server) {
    struct pollfd device = {.fd = server->device_fd, .events = POLLIN};
    return poll(&device, 1, 0) == 1;
}

/* ---- the lead ---- */

static void *run(void *context);

/* With the lock held. Without a thread more, the present ones have to do. */
static void add_thread(struct server *server) {
    if (server->threads < server->most_threads && !atomic_load(&server->stopping) &&
        pthread_create(&server->ids[server->threads], NULL, run, server) == 0)
        server->threads++;
}

/* With the lock held: sleeps for a tick, or until there are requests again. True when the leader
 * has been with one request for all of it, and the lead is the caller's now. */
static bool watch(struct server *server, unsigned *quiet) {
    uint64_t seen = atomic_load(&server->turn);
    int64_t until_ns = gfs_monotonic_ns() + TICK_NS;
    const struct timespec until = {.tv_sec = until_ns / GFS_NS_PER_S, .tv_nsec = until_ns % GFS_NS_PER_S};

    if (*quiet >= QUIET_TICKS) {
        atomic_store(&server->watcher_sleeps, true);
        if (atomic_load(&server->turn) == seen)
            pthread_cond_wait(&server->watch, &server->lock);
        atomic_store(&server->watcher_sleeps, false);
        *quiet = 0;
        return false;
    }
    pthread_cond_timedwait(&server->watch, &server->lock, &until);
    bool same = atomic_load(&server->turn) == seen;
    *quiet = same && !(seen & 1) ? *quiet + 1 : 0;
    return same && (seen & 1) && gfs_monotonic_ns() >= until_ns &&
           atomic_compare_exchange_strong(&server->turn, &seen, seen + 1);
}

/* Waits for the lead; false when it is over. */
static bool take_lead(struct server *server) {
    unsigned quiet = 0;

    pthread_mutex_lock(&server->lock);
    server->waiting++;
    while (server->led && server->watched && !atomic_load(&server->stopping))
        pthread_cond_wait(&server->place, &server->lock);
    server->waiting--;
    if (server->led && !atomic_load(&server->stopping)) {
        server->watched = true;
        while (server->led && !atomic_load(&server->stopping) && !watch(server, &quiet))
            ;
        server->watched = false;
        if (server->waiting)
            pthread_cond_signal(&server->place);
    }
    server->led = true;
    if (!server->watched && !server->waiting)
        add_thread(server);
    pthread_mutex_unlock(&server->lock);
    return !atomic_load(&server->stopping);
}

/* The leader goes on to serve its request; whoever comes first leads, this thread included. */
static void offer_lead(struct server *server, uint64_t *turn) {
    pthread_mutex_lock(&server->lock);
    if (atomic_compare_exchange_strong(&server->turn, turn, *turn + 1)) {
        server->led = false;
        if (server->watched)
            pthread_cond_signal(&server->watch);
    }
    pthread_mutex_unlock(&server->lock);
}

static void wake_watcher(struct server *server) {
    pthread_mutex_lock(&server->lock);
    pthread_cond_signal(&server->watch);
    pthread_mutex_unlock(&server->lock);
}

static void end(struct server *server, int rc) {
    static const uint64_t one = 1;

    pthread_mutex_lock(&server->lock);
    if (rc < 0 && !server->rc)
        server->rc = rc;
    atomic_store(&server->stopping, true);
    pthread_cond_broadcast(&server->watch);
    pthread_cond_broadcast(&server->place);
    pthread_mutex_unlock(&server->lock);
    ssize_t written = write(server->stop_fd, &one, sizeof one);
    (void)written; /* an eventfd takes it */
}

/* Serves until another thread has the lead. */
static void lead(struct server *server, struct fuse_buf *buffer) {
    for (unsigned at_once_turns = 0;;) {
        bool at_once = false;
        int size = await_request(server, buffer, &at_once);
        if (size <= 0) {
            end(server, size);
            return;
        }
        uint64_t turn = atomic_fetch_add(&server->turn, 1) + 1;
        if (atomic_load(&server->watcher_sleeps))
            wake_watcher(server);
        if (!comes_by_itself(buffer))
            at_once_turns = at_once ? at_once_turns + 1 : 0;
        if (at_once_turns >= CROWDED_TURNS && !comes_by_itself(buffer) && is_crowded(server))
            offer_lead(server, &turn);
        fuse_session_process_buf(server->session, buffer);
        if (!atomic_compare_exchange_strong(&server->turn, &turn, turn + 1))
            return;
    }
}

static void *run(void *context) {
    struct server *server = context;
    struct fuse_buf buffer = {.mem = NULL};

    while (take_lead(server))
        lead(server, &buffer);
    free(buffer.mem);
    return NULL;
}

/* ---- beginning and end ---- */

static bool has_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

static int prepare(struct server *server) {
    pthread_condattr_t monotonic;
    int flags = fcntl(server->device_fd, F_GETFL);

    server->ids = calloc(server->most_threads, sizeof *server->ids);
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!server->ids || server->stop_fd < 0 || flags < 0 || fcntl(server->device_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return server->ids ? -errno : -ENOMEM;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->watch, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&server->place, NULL);
    return 0;
}

static void await_end(struct server *server) {
    struct pollfd stop = {.fd = server->stop_fd, .events = POLLIN};

    while (!fuse_session_exited(server->session) && !atomic_load(&server->stopping))
        poll(&stop, 1, -1); /* a signal ends it, too */
    end(server, 0);
    for (unsigned i = 0; i < server->threads; i++)
        pthread_join(server->ids[i], NULL);
}

int gfs_serve(struct fuse_session *session, unsigned max_threads) {
    struct server server = {.session = session,
                            .device_fd = fuse_session_fd(session),
                            .stop_fd = -1,
                            .most_threads = max_threads,
                            .polls = has_processors()};
    int rc = prepare(&server);

    if (!rc) {
        pthread_mutex_lock(&server.lock);
        add_thread(&server);
        rc = server.threads ? 0 : -EAGAIN;
        pthread_mutex_unlock(&server.lock);
        if (!rc) {
            await_end(&server);
            rc = server.rc;
        }
        pthread_cond_destroy(&server.watch);
        pthread_cond_destroy(&server.place);
        pthread_mutex_destroy(&server.lock);
    }
    if (server.stop_fd >= 0)
        close(server.stop_fd);
    free(server.ids);
    return rc;
}
