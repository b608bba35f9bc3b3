#include "tests/unit/fake_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guildfs/store.h"

struct fake_store fake_store;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of world and generation */

struct gfs_store {
    int nothing;
};

/* Not assert(3), which release builds leave out, nor cmocka's, which must stay in the test's thread. */
static void require(bool condition) {
    if (condition)
        return;
    fprintf(stderr, "fake_store: errno %d\n", errno);
    abort();
}

int gfs_store_open(const char *directory, enum gfs_store_mode mode, int timeout_ms, struct gfs_store **out,
                   struct gfs_error *err) {
    (void)directory;
    (void)timeout_ms;
    require(mode == GFS_STORE_READ);
    int error = atomic_load(&fake_store.open_error);
    if (error != 0)
        return gfs_error_set(err, error, "told not to open");
    *out = calloc(1, sizeof **out);
    require(*out != NULL);
    atomic_fetch_add(&fake_store.opens, 1);
    return 0;
}

void gfs_store_close(struct gfs_store *store) {
    free(store);
}

int gfs_store_generation(struct gfs_store *store, uint64_t *out, struct gfs_error *err) {
    (void)store;
    while (atomic_load(&fake_store.hangs))
        fake_store_pause(1);
    int error = atomic_load(&fake_store.generation_error);
    if (error != 0)
        return gfs_error_set(err, error, "told not to read");
    pthread_mutex_lock(&lock);
    *out = fake_store.generation;
    pthread_mutex_unlock(&lock);
    return 0;
}

int gfs_store_load(struct gfs_store *store, const struct gfs_model_sink *sink, void *context, uint64_t *generation,
                   struct gfs_error *err) {
    (void)store;
    int error = atomic_load(&fake_store.load_error);
    if (error != 0)
        return gfs_error_set(err, error, "told not to load");
    pthread_mutex_lock(&lock);
    const struct world *world = fake_store.world;
    *generation = fake_store.generation;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&fake_store.loads, 1);
    int rc = world_load(world, sink, context);
    return rc == 0 ? 0 : gfs_error_set(err, -rc, "a row was refused");
}

/* It keeps no feed. */
int gfs_store_load_changes(struct gfs_store *store, uint64_t since, const struct gfs_change_sink *sink, void *context,
                           uint64_t *generation, struct gfs_error *err) {
    (void)store, (void)since, (void)sink, (void)context, (void)generation, (void)err;
    return -ESTALE;
}

int gfs_store_holders(struct gfs_store *store, enum gfs_object_kind kind, gfs_id object,
                      int (*each)(void *context, enum gfs_subject_kind kind, gfs_id subject), void *context) {
    (void)store, (void)kind, (void)object, (void)each, (void)context;
    return 0;
}

static void write_file(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fake_store.directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    require(fd >= 0);
    ssize_t written = write(fd, "x", 1);
    require(written == 1);
    close(fd);
}

void fake_store_begin(const struct world *world) {
    memset(&fake_store, 0, sizeof fake_store);
    fake_store_show(world, 1);
    snprintf(fake_store.directory, sizeof fake_store.directory, "/tmp/guildfs-authority-XXXXXX");
    char *made = mkdtemp(fake_store.directory);
    require(made != NULL);
    write_file("guildfs.db");
}

static void remove_file(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fake_store.directory, name);
    unlink(path);
}

void fake_store_end(void) {
    remove_file("guildfs.db");
    remove_file("guildfs.db-wal");
    rmdir(fake_store.directory);
}

void fake_store_show(const struct world *world, uint64_t generation) {
    pthread_mutex_lock(&lock);
    fake_store.world = world;
    fake_store.generation = generation;
    pthread_mutex_unlock(&lock);
}

void fake_store_commit(const struct world *world, unsigned milliseconds) {
    write_file("guildfs.db-wal");
    fake_store_pause(milliseconds);
    fake_store_show(world, fake_store.generation + 1);
}

void fake_store_replace(void) {
    char from[128], to[128];
    write_file("new");
    snprintf(from, sizeof from, "%s/new", fake_store.directory);
    snprintf(to, sizeof to, "%s/guildfs.db", fake_store.directory);
    int rc = rename(from, to);
    require(rc == 0);
}

void fake_store_pause(unsigned milliseconds) {
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&pause, NULL);
}
