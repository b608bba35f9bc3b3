#include "tests/bench/make_store.h"

#include <stddef.h>

#include "core/store/bulk.h"

int bench_make_store(const char *dir, unsigned users, unsigned groups, unsigned grants, struct gfs_error *err) {
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    int rc = gfs_store_init(dir, err);

    if (rc == 0)
        rc = gfs_store_open(dir, GFS_STORE_WRITE, 1000, &store, err);
    return rc < 0 ? rc : gfs_store_bulk_fill(store, users, groups, grants, err);
}
