/*
 * The thread that watches the deadline. Whoever asks is refused once it has passed, without any
 * thread's help; but there are those who do not ask, and they must be told. It is not the refresher
 * that does it, because that may hang in the store at this very time.
 */
#include <pthread.h>
#include <time.h>

#include "core/authority/authority.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

/* The clock that readers look at is behind by up to a tick. */
#define TICK_NS 10000000LL

static void tell(const struct gfs_authority *authority, bool stale) {
    if (!stale) {
        gfs_log(GFS_LOG_NOTICE, "authority_current", "store=%s", authority->directory);
        return;
    }
    gfs_log(GFS_LOG_ERROR, "authority_stale", "store=%s limit_ms=%lld refusing=everything", authority->directory,
            (long long)(authority->options.stale_limit_ns / 1000000));
    if (authority->options.stale != NULL)
        authority->options.stale(authority->options.context);
}

/* With the lock held: until the deadline; once it has passed, until it is moved. */
static void wait_for_it(struct gfs_authority *authority) {
    if (authority->told_stale) {
        pthread_cond_wait(&authority->deadline_moved, &authority->deadline_lock);
        return;
    }
    int64_t until_ns = atomic_load(&authority->deadline_ns) + TICK_NS;
    const struct timespec until = {.tv_sec = until_ns / GFS_NS_PER_S, .tv_nsec = until_ns % GFS_NS_PER_S};
    pthread_cond_timedwait(&authority->deadline_moved, &authority->deadline_lock, &until);
}

void *gfs_deadline_run(void *argument) {
    struct gfs_authority *authority = argument;
    pthread_setname_np(pthread_self(), "guildfs-stale");
    pthread_mutex_lock(&authority->deadline_lock);
    while (!atomic_load(&authority->stopping)) {
        bool stale = gfs_authority_is_stale(authority);
        if (stale == authority->told_stale) {
            wait_for_it(authority);
            continue;
        }
        authority->told_stale = stale;
        pthread_mutex_unlock(&authority->deadline_lock);
        tell(authority, stale);
        pthread_mutex_lock(&authority->deadline_lock);
    }
    pthread_mutex_unlock(&authority->deadline_lock);
    return NULL;
}

void gfs_deadline_moved(struct gfs_authority *authority) {
    pthread_mutex_lock(&authority->deadline_lock);
    if (authority->told_stale || atomic_load(&authority->stopping))
        pthread_cond_signal(&authority->deadline_moved); /* else it wakes in time by itself */
    pthread_mutex_unlock(&authority->deadline_lock);
}
