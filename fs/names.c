#include "fs/names.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fs/mount.h"
#include "guildfs/hash.h"

enum { LOCKS = 512 };

struct gfs_names {
    pthread_mutex_t locks[LOCKS];
};

int gfs_names_new(struct gfs_names **out) {
    struct gfs_names *names = malloc(sizeof *names);
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&names->locks[i], NULL);
    *out = names;
    return 0;
}

void gfs_names_free(struct gfs_names *names) {
    if (!names)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&names->locks[i]);
    free(names);
}

static int number_of(const struct stat *folder) {
    return folder ? (int)(gfs_hash_pair(folder->st_dev, folder->st_ino) % LOCKS) : -1;
}

struct gfs_names_held gfs_names_lock(struct gfs_mount *mount, const struct stat *first, const struct stat *second) {
    int a = number_of(first), b = number_of(second);
    if (a == b)
        b = -1;
    const struct gfs_names_held held = {.first = b >= 0 && b < a ? b : a, .second = b >= 0 && b < a ? a : b};

    pthread_mutex_lock(&mount->names->locks[held.first]);
    if (held.second >= 0)
        pthread_mutex_lock(&mount->names->locks[held.second]);
    return held;
}

void gfs_names_unlock(struct gfs_mount *mount, struct gfs_names_held held) {
    if (held.second >= 0)
        pthread_mutex_unlock(&mount->names->locks[held.second]);
    pthread_mutex_unlock(&mount->names->locks[held.first]);
}
