/*
 * The refresher: the thread that keeps the current snapshot current.
 *
 * How it learns of a change. A commit writes to guildfs.db-wal, which inotify reports at once. But
 * the report comes with the write, and the commit takes effect later: after the data is on the
 * disk, in shared memory, where nobody reports anything. So one look right after a report often
 * still sees the old generation. Looks are therefore repeated: at once, after 0.25 and 0.5 ms, every
 * millisecond until the report is 20 ms old, which is how long disks take, and then after pauses
 * that double up to 256 ms; also when one of them has seen a change, since that report may have been
 * about the next commit as well. A look without news costs a stat and one indexed read.
 *
 * A writer that is killed closes its files, which is reported too (IN_CLOSE_WRITE).
 *
 * A slower disk, a file system that reports nothing (a change from another host over NFS) and an
 * exhausted inotify are what the look every second is for. It also moves the deadline: the proof
 * that the store can be read is that it was read.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/authority/authority.h"
#include "core/authority/watch.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

#define MS_NS 1000000LL
#define FIRST_PAUSE_NS (MS_NS / 4) /* after a report, then doubling */
#define NEAR_PAUSE_NS MS_NS        /* but not beyond this as long as the report is near */
#define NEAR_NS (20 * MS_NS)
#define LEAST_PAUSE_NS (MS_NS / 2) /* so that a writer that writes on and on does not keep us busy */
#define LAST_PAUSE_NS (256 * MS_NS)
#define SLOW_PAUSE_NS GFS_NS_PER_S   /* when nothing happens */
#define BLIND_PAUSE_NS (100 * MS_NS) /* when nothing would be reported */
#define FIRST_RETRY_NS (50 * MS_NS)  /* after a failure, doubling up to the slow pause */

struct refresher {
    struct gfs_authority *authority;
    int watch_fd;         /* negative: none */
    int watch_error;      /* the problem that was logged last; 0 */
    int64_t next_look_ns; /* monotonic */
    int64_t last_look_ns; /* monotonic */
    int64_t report_ns;    /* monotonic: the latest */
    int64_t pause_ns;     /* the last one after a report; 0: none yet */
    int64_t retry_ns;     /* the last one after a failure; 0: no failure */
};

static void watch(struct refresher *refresher) {
    if (refresher->watch_fd >= 0)
        return;
    refresher->watch_fd = gfs_watch_open(refresher->authority->directory);
    int error = refresher->watch_fd < 0 ? -refresher->watch_fd : 0;
    if (error != 0 && error != refresher->watch_error)
        gfs_log(GFS_LOG_WARNING, "watch_failed", "store=%s problem=%s pause_ms=%d", refresher->authority->directory,
                strerror(error), (int)(BLIND_PAUSE_NS / MS_NS));
    refresher->watch_error = error;
}

static void unwatch(struct refresher *refresher) {
    if (refresher->watch_fd >= 0)
        close(refresher->watch_fd);
    refresher->watch_fd = -1;
}

static void take_news(struct refresher *refresher, int64_t now_ns) {
    struct gfs_watch_news news = gfs_watch_read(refresher->watch_fd);
    if (news.lost)
        unwatch(refresher);
    if (!news.lost && !news.written)
        return;
    int64_t next_ns = refresher->last_look_ns + LEAST_PAUSE_NS;
    refresher->pause_ns = 0;
    refresher->report_ns = now_ns;
    if (refresher->next_look_ns > next_ns)
        refresher->next_look_ns = next_ns;
}

/* The next pause when nothing is wrong. */
static int64_t next_pause(struct refresher *refresher, int64_t now_ns) {
    int64_t pause_ns = refresher->pause_ns == 0 ? FIRST_PAUSE_NS : refresher->pause_ns * 2;
    if (pause_ns > NEAR_PAUSE_NS && now_ns - refresher->report_ns < NEAR_NS)
        pause_ns = NEAR_PAUSE_NS;
    refresher->pause_ns = pause_ns > LAST_PAUSE_NS ? SLOW_PAUSE_NS : pause_ns;
    /* Nobody would report. */
    return refresher->watch_fd < 0 && refresher->pause_ns > BLIND_PAUSE_NS ? BLIND_PAUSE_NS : refresher->pause_ns;
}

static void plan(struct refresher *refresher, bool failed) {
    int64_t pause_ns, now_ns = gfs_monotonic_ns();
    if (failed) {
        refresher->retry_ns = refresher->retry_ns == 0 ? FIRST_RETRY_NS : refresher->retry_ns * 2;
        if (refresher->retry_ns > SLOW_PAUSE_NS)
            refresher->retry_ns = SLOW_PAUSE_NS;
        pause_ns = refresher->retry_ns;
    } else {
        refresher->retry_ns = 0;
        pause_ns = next_pause(refresher, now_ns);
    }
    refresher->last_look_ns = now_ns;
    refresher->next_look_ns = now_ns + pause_ns;
}

static void look(struct refresher *refresher) {
    struct gfs_authority *authority = refresher->authority;
    /* Before the look: what is written between the two is reported. */
    watch(refresher);
    pthread_mutex_lock(&authority->refresh_lock);
    ino_t inode = authority->inode;
    int rc = gfs_authority_look(authority, false, NULL);
    bool replaced = authority->inode != inode;
    pthread_mutex_unlock(&authority->refresh_lock);
    if (replaced) {
        /* Perhaps the whole directory was, by a rename further up, which nobody reports. */
        unwatch(refresher);
        refresher->pause_ns = 0;
    }
    plan(refresher, rc < 0);
}

static void pass_end(struct refresher *refresher) {
    struct gfs_authority *authority = refresher->authority;
    pthread_mutex_lock(&authority->refresh_lock);
    gfs_authority_pass_end(authority);
    gfs_authority_reclaim(authority);
    pthread_mutex_unlock(&authority->refresh_lock);
}

/* Until the next look or the next end of something, whichever comes first. The end is a wall clock
 * time: when the clock is set, that is noticed after the slow pause at the latest. */
static void pause_until_due(struct refresher *refresher) {
    struct gfs_authority *authority = refresher->authority;
    int64_t now_ns = gfs_monotonic_ns();
    int64_t wait_ns = refresher->next_look_ns - now_ns;
    int64_t next_end_ns = atomic_load(&authority->next_end_ns);
    int64_t wall_ns = gfs_now_ns();
    if (next_end_ns != GFS_NEVER && next_end_ns - wall_ns < wait_ns)
        wait_ns = next_end_ns - wall_ns;
    if (wait_ns < 0)
        wait_ns = 0;
    /* After a failure reports wait: else the traces of our own attempts would wake us. */
    bool listening = refresher->watch_fd >= 0 && refresher->retry_ns == 0;
    struct pollfd fds[] = {{.fd = authority->wake_fd, .events = POLLIN},
                           {.fd = listening ? refresher->watch_fd : -1, .events = POLLIN}};
    struct timespec timeout = {.tv_sec = wait_ns / GFS_NS_PER_S, .tv_nsec = wait_ns % GFS_NS_PER_S};
    int ready = ppoll(fds, 2, &timeout, NULL);
    if (ready > 0 && fds[1].revents != 0)
        take_news(refresher, gfs_monotonic_ns());
}

void *gfs_refresher_run(void *argument) {
    struct refresher refresher = {.authority = argument, .watch_fd = -1};
    pthread_setname_np(pthread_self(), "guildfs-policy");
    while (!atomic_load(&refresher.authority->stopping)) {
        if (gfs_monotonic_ns() >= refresher.next_look_ns)
            look(&refresher);
        pass_end(&refresher);
        pause_until_due(&refresher);
    }
    unwatch(&refresher);
    return NULL;
}
