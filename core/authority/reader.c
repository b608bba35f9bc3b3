#include "core/authority/reader.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

/* Two cache lines by themselves: each thread writes to its own at every request. */
struct reader {
    _Alignas(128) _Atomic(const struct gfs_snapshot *) held[GFS_READER_NESTED];
    atomic_bool taken;   /* by a living thread */
    struct reader *next; /* never changes once the record is in the list */
};

static _Atomic(struct reader *) readers;
static _Thread_local struct reader *mine;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */
static bool key_made;

static void give_back(void *record) {
    struct reader *reader = record;
    for (size_t i = 0; i < GFS_READER_NESTED; i++)
        atomic_store_explicit(&reader->held[i], NULL, memory_order_release);
    mine = NULL;
    atomic_store_explicit(&reader->taken, false, memory_order_release);
}

static void make_key(void) {
    key_made = pthread_key_create(&key, give_back) == 0;
}

static struct reader *take_used(void) {
    struct reader *reader = atomic_load_explicit(&readers, memory_order_acquire);
    for (; reader != NULL; reader = reader->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong_explicit(&reader->taken, &taken, true, memory_order_acq_rel,
                                                    memory_order_relaxed))
            return reader;
    }
    return NULL;
}

static struct reader *take_new(void) {
    struct reader *reader = aligned_alloc(_Alignof(struct reader), sizeof *reader);
    if (reader == NULL)
        return NULL;
    for (size_t i = 0; i < GFS_READER_NESTED; i++)
        atomic_init(&reader->held[i], NULL);
    atomic_init(&reader->taken, true);
    reader->next = atomic_load_explicit(&readers, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&readers, &reader->next, reader, memory_order_seq_cst,
                                                  memory_order_relaxed))
        ;
    return reader;
}

static __attribute__((noinline)) struct reader *register_thread(void) {
    pthread_once(&key_once, make_key);
    if (!key_made)
        return NULL;
    struct reader *reader = take_used();
    if (reader == NULL)
        reader = take_new();
    if (reader == NULL)
        return NULL;
    if (pthread_setspecific(key, reader) != 0) {
        give_back(reader);
        return NULL;
    }
    mine = reader;
    return reader;
}

const struct gfs_snapshot *gfs_reader_hold(_Atomic(struct gfs_snapshot *) *current) {
    struct reader *reader = mine != NULL ? mine : register_thread();
    size_t i = 0;
    if (reader == NULL)
        return NULL;
    while (i < GFS_READER_NESTED && atomic_load_explicit(&reader->held[i], memory_order_relaxed) != NULL)
        i++;
    if (i == GFS_READER_NESTED)
        return NULL;
    for (;;) {
        const struct gfs_snapshot *snapshot = atomic_load_explicit(current, memory_order_acquire);
        atomic_store_explicit(&reader->held[i], snapshot, memory_order_seq_cst);
        if (atomic_load_explicit(current, memory_order_seq_cst) == snapshot)
            return snapshot;
    }
}

void gfs_reader_release(const struct gfs_snapshot *snapshot) {
    struct reader *reader = mine;
    if (reader == NULL)
        return;
    for (size_t i = GFS_READER_NESTED; i-- > 0;) {
        if (atomic_load_explicit(&reader->held[i], memory_order_relaxed) == snapshot) {
            atomic_store_explicit(&reader->held[i], NULL, memory_order_release);
            return;
        }
    }
}

bool gfs_reader_holds(const struct gfs_snapshot *snapshot) {
    struct reader *reader = atomic_load_explicit(&readers, memory_order_seq_cst);
    for (; reader != NULL; reader = reader->next) {
        for (size_t i = 0; i < GFS_READER_NESTED; i++) {
            if (atomic_load_explicit(&reader->held[i], memory_order_seq_cst) == snapshot)
                return true;
        }
    }
    return false;
}
