#include "core/authority/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/*
 * A commit in WAL mode is a write to guildfs.db-wal. A checkpoint, or a database in another
 * journal mode, writes to guildfs.db; a replaced database is moved or created. guildfs.db-shm is
 * left out: it is mapped memory, which tells nobody.
 */
static const char database[] = "guildfs.db";
static const char shared_memory[] = "guildfs.db-shm";

#define WRITES (IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)
#define END (IN_DELETE_SELF | IN_MOVE_SELF)

int gfs_watch_open(const char *directory) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (inotify_add_watch(fd, directory, WRITES | END | IN_ONLYDIR) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static bool is_database(const struct inotify_event *event) {
    return event->len > 0 && strncmp(event->name, database, sizeof database - 1) == 0 &&
           strcmp(event->name, shared_memory) != 0;
}

struct gfs_watch_news gfs_watch_read(int fd) {
    _Alignas(struct inotify_event) char buffer[4096];
    struct gfs_watch_news news = {0};
    for (;;) {
        ssize_t size = read(fd, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return news;
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
            news.lost = news.lost || (event->mask & (END | IN_IGNORED | IN_UNMOUNT)) != 0;
            /* After an overflow nobody knows what was missed. */
            news.written = news.written || (event->mask & IN_Q_OVERFLOW) != 0 || is_database(event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}
