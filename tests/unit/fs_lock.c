/*
 * fs/ops/lock.c and lock_wait.c on a real file, with the few functions of libfuse that they call
 * played here, as libfuse plays them: an interrupt function runs under the request's lock.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/ops/lock_wait.h"
#include "fs/ops/ops.h"
#include "guildfs/clock.h"

/* ---- libfuse, and the descriptor cache ---- */

enum { UNANSWERED = -1 };

struct fuse_req {
    pthread_mutex_t lock; /* held while an interrupt function runs */
    fuse_interrupt_func_t function;
    void *context;
    bool interrupted;
    pthread_mutex_t answer_lock;
    pthread_cond_t answered;
    int error; /* positive errno, 0, or UNANSWERED */
    struct flock reply;
};

static void answer(struct fuse_req *req, int error) {
    pthread_mutex_lock(&req->answer_lock);
    assert_int_equal(req->error, UNANSWERED);
    req->error = error;
    pthread_cond_broadcast(&req->answered);
    pthread_mutex_unlock(&req->answer_lock);
}

int fuse_reply_err(fuse_req_t req, int error) {
    answer(req, error);
    return 0;
}

int fuse_reply_lock(fuse_req_t req, const struct flock *lock) {
    req->reply = *lock;
    answer(req, 0);
    return 0;
}

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t function, void *context) {
    pthread_mutex_lock(&req->lock);
    req->function = function;
    req->context = context;
    if (req->interrupted && function)
        function(req, context);
    pthread_mutex_unlock(&req->lock);
}

static void interrupt(struct fuse_req *req) {
    pthread_mutex_lock(&req->lock);
    req->interrupted = true;
    if (req->function)
        req->function(req, req->context);
    pthread_mutex_unlock(&req->lock);
}

int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) {
    (void)mount;
    *fd = backing->descriptor;
    return 0;
}

void gfs_backing_put(struct gfs_mount *mount, struct gfs_backing *backing) {
    (void)mount;
    (void)backing;
}

int gfs_handle_fd(struct gfs_handle *handle, int *fd) {
    *fd = handle->fd;
    return 0;
}

/* ---- flock(2), with a pause before it sleeps: there a signal is lost ---- */

static atomic_bool pauses;

int flock(int fd, int operation) {
    struct timespec left = {.tv_nsec = 20000000};

    if (pauses && operation == LOCK_EX) {
        while (nanosleep(&left, &left) != 0)
            continue;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

/* ---- a file, shown in two views ---- */

struct scene {
    char path[64];
    struct gfs_mount mount;
    struct gfs_backing backing;
    struct gfs_node nodes[2];
    struct gfs_handle handles[3]; /* 0 and 2 of the first view, 1 of the second */
    int descriptors_before;
};

static int count_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static int set_up(void **state) {
    static int views[2];
    struct scene *scene = calloc(1, sizeof(*scene));

    strcpy(scene->path, "/tmp/guildfs-lock-XXXXXX");
    int fd = mkstemp(scene->path);
    assert_true(fd >= 0);
    close(fd);
    scene->backing.descriptor = open(scene->path, O_PATH);
    assert_int_equal(gfs_locks_new(&scene->mount.locks), 0);
    for (int i = 0; i < 2; i++)
        scene->nodes[i] = (struct gfs_node){.backing = &scene->backing, .view = (void *)&views[i]};
    for (int i = 0; i < 3; i++)
        scene->handles[i] = (struct gfs_handle){
            .node = &scene->nodes[i % 2], .fd = open(scene->path, O_RDWR), .reads = true, .writes = true};
    scene->descriptors_before = count_descriptors();
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;

    gfs_locks_free(scene->mount.locks);
    for (int i = 0; i < 3; i++)
        close(scene->handles[i].fd);
    close(scene->backing.descriptor);
    unlink(scene->path);
    free(scene);
    return 0;
}

static struct fuse_req *new_request(void) {
    struct fuse_req *req = calloc(1, sizeof(*req));

    pthread_mutex_init(&req->lock, NULL);
    pthread_mutex_init(&req->answer_lock, NULL);
    pthread_cond_init(&req->answered, NULL);
    req->error = UNANSWERED;
    return req;
}

/* The answer, or UNANSWERED after so long. */
static int wait_for_answer(struct fuse_req *req, int64_t limit_ms) {
    int64_t end_ns = gfs_now_ns() + limit_ms * 1000000;
    struct timespec end = {.tv_sec = end_ns / GFS_NS_PER_S, .tv_nsec = end_ns % GFS_NS_PER_S};
    int timed_out = 0;

    pthread_mutex_lock(&req->answer_lock);
    while (req->error == UNANSWERED && !timed_out)
        timed_out = pthread_cond_timedwait(&req->answered, &req->answer_lock, &end);
    int error = req->error;
    pthread_mutex_unlock(&req->answer_lock);
    return error;
}

static int finish(struct fuse_req *req) {
    int error = wait_for_answer(req, 10000);

    assert_int_not_equal(error, UNANSWERED);
    free(req);
    return error;
}

static void start_flock(struct scene *scene, struct fuse_req *req, int handle, uint64_t owner, int operation) {
    struct gfs_call call = {.req = req, .mount = &scene->mount};

    gfs_op_flock(&call, &scene->handles[handle], owner, operation);
}

static int do_flock(struct scene *scene, int handle, uint64_t owner, int operation) {
    struct fuse_req *req = new_request();

    start_flock(scene, req, handle, owner, operation);
    return finish(req);
}

static struct fuse_req *start_posix(struct scene *scene, int handle, uint64_t owner, short type, off_t start,
                                    off_t length, bool wait) {
    struct fuse_req *req = new_request();
    struct gfs_call call = {.req = req, .mount = &scene->mount};
    struct flock lock = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length, .l_pid = 1000 + (pid_t)owner};

    gfs_op_setlk(&call, &scene->handles[handle], owner, &lock, wait);
    return req;
}

static int do_posix(struct scene *scene, int handle, uint64_t owner, short type, off_t start, off_t length) {
    return finish(start_posix(scene, handle, owner, type, start, length, false));
}

static struct flock ask_posix(struct scene *scene, int handle, uint64_t owner, short type, off_t start, off_t length) {
    struct fuse_req *req = new_request();
    struct gfs_call call = {.req = req, .mount = &scene->mount};
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};

    gfs_op_getlk(&call, &scene->handles[handle], owner, &lock);
    assert_int_equal(wait_for_answer(req, 1000), 0);
    lock = req->reply;
    free(req);
    return lock;
}

/* Whether nothing is open any more that was opened for a lock. */
static void assert_nothing_left(const struct scene *scene) {
    assert_int_equal(count_descriptors(), scene->descriptors_before);
}

/* ---- tests ---- */

static void flock_excludes_the_other_view(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_EX | LOCK_NB), EAGAIN);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_SH | LOCK_NB), EAGAIN);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_UN), 0);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_SH | LOCK_NB), 0);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_UN), 0);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_UN), 0);
    assert_nothing_left(scene);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_MAND), EINVAL);
}

static void local_programs_are_excluded(void **state) {
    struct scene *scene = *state;
    int local = open(scene->path, O_RDWR);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(flock(local, LOCK_SH | LOCK_NB), -1);
    gfs_locks_release(&scene->mount, &scene->handles[0], 1);
    assert_int_equal(flock(local, LOCK_SH | LOCK_NB), 0);

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    assert_int_equal(fcntl(local, F_SETLK, &range), -1);
    assert_int_equal(do_posix(scene, 0, 1, F_UNLCK, 5, 1), 0);
    assert_int_equal(fcntl(local, F_SETLK, &range), 0);
    assert_int_equal(do_posix(scene, 0, 1, F_RDLCK, 0, 10), EAGAIN);
    gfs_locks_flush(&scene->mount, &scene->handles[0], 1);
    close(local);
    assert_nothing_left(scene);
}

static void posix_ranges_of_one_owner_merge(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    /* the same process by another open file, and the other view's process */
    assert_int_equal(do_posix(scene, 2, 1, F_RDLCK, 0, 10), 0);
    assert_int_equal(do_posix(scene, 1, 2, F_RDLCK, 0, 10), 0);
    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), EAGAIN);
    assert_int_equal(do_posix(scene, 1, 2, F_UNLCK, 0, 0), 0);
    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    assert_int_equal(do_posix(scene, 0, 1, F_UNLCK, 0, 0), 0);
    assert_nothing_left(scene);
}

/* Where no FLUSH comes, RELEASE ends the locks; and the file is marked, so that it comes next time. */
static void without_flush_posix_locks_end_with_the_file(void **state) {
    struct scene *scene = *state;

    scene->handles[1].no_flush = true;
    assert_false(scene->backing.posix_locked);
    assert_int_equal(do_posix(scene, 1, 2, F_RDLCK, 0, 10), 0);
    assert_true(scene->backing.posix_locked);
    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), EAGAIN);
    assert_int_equal(ask_posix(scene, 0, 1, F_WRLCK, 0, 10).l_type, F_RDLCK);
    gfs_locks_release(&scene->mount, &scene->handles[1], 0);
    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    gfs_locks_release(&scene->mount, &scene->handles[0], 0);
    assert_nothing_left(scene);
}

struct late_release {
    struct scene *scene;
    atomic_bool go;
};

static void *release_late(void *context) {
    struct late_release *late = context;

    while (!late->go)
        sched_yield();
    gfs_locks_release(&late->scene->mount, &late->scene->handles[1], 0);
    return NULL;
}

/* RELEASE comes after close(2) has returned: who locks in between waits for it, but not for ever. */
static void a_late_release_is_waited_for(void **state) {
    enum { ROUNDS = 100 };
    struct scene *scene = *state;
    int granted = 0;

    scene->handles[1].no_flush = true;
    for (int i = 0; i < ROUNDS; i++) {
        struct late_release late = {.scene = scene};
        pthread_t thread;
        assert_int_equal(do_posix(scene, 1, 2, F_RDLCK, 0, 10), 0);
        assert_int_equal(pthread_create(&thread, NULL, release_late, &late), 0);
        late.go = true;
        granted += do_posix(scene, 0, 1, F_WRLCK, 0, 10) == 0;
        pthread_join(thread, NULL);
        gfs_locks_release(&scene->mount, &scene->handles[0], 0);
    }
    assert_true(granted > ROUNDS * 3 / 4); /* on a busy machine it may be later than that */
    assert_nothing_left(scene);
}

static void a_refused_lock_leaves_nothing_open(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 0), 0);
    int held = count_descriptors();
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 0, 0), EAGAIN);
    assert_int_equal(count_descriptors(), held);
}

static void unlocking_what_is_not_locked_succeeds(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_UNLCK, 0, 0), 0);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_UN), 0);
    assert_nothing_left(scene);
}

static void a_waiter_gets_the_lock(void **state) {
    struct scene *scene = *state;
    struct fuse_req *req = new_request();

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX), 0);
    start_flock(scene, req, 1, 2, LOCK_EX);
    assert_int_equal(wait_for_answer(req, 50), UNANSWERED);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_UN), 0);
    assert_int_equal(finish(req), 0);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX | LOCK_NB), EAGAIN);
    gfs_locks_release(&scene->mount, &scene->handles[1], 2);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX | LOCK_NB), 0);
}

static void a_posix_waiter_gets_the_range(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    struct fuse_req *req = start_posix(scene, 1, 2, F_WRLCK, 9, 5, true);
    assert_int_equal(wait_for_answer(req, 50), UNANSWERED);
    gfs_locks_flush(&scene->mount, &scene->handles[0], 1);
    assert_int_equal(finish(req), 0);
    assert_int_equal(do_posix(scene, 0, 1, F_RDLCK, 13, 1), EAGAIN);
}

static void an_interrupt_ends_the_wait(void **state) {
    struct scene *scene = *state;
    struct fuse_req *req = new_request();

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX), 0);
    start_flock(scene, req, 1, 2, LOCK_EX);
    assert_int_equal(wait_for_answer(req, 20), UNANSWERED);
    interrupt(req);
    assert_int_equal(finish(req), EINTR);
    gfs_locks_release(&scene->mount, &scene->handles[0], 1);
    assert_nothing_left(scene); /* the waiter did not get it afterwards */
}

static void an_interrupt_just_before_the_sleep_ends_it(void **state) {
    struct scene *scene = *state;
    struct fuse_req *req = new_request();

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX | LOCK_NB), 0);
    pauses = true;
    start_flock(scene, req, 1, 2, LOCK_EX);
    assert_int_equal(wait_for_answer(req, 10), UNANSWERED);
    interrupt(req);
    pauses = false;
    int error = wait_for_answer(req, 2000);
    gfs_locks_release(&scene->mount, &scene->handles[0], 1);
    assert_int_equal(error, EINTR);
    free(req);
}

/* The signal may come at any point of the thread's start. */
static void no_interrupt_is_lost(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX), 0);
    for (int i = 0; i < 300; i++) {
        struct fuse_req *req = new_request();
        req->interrupted = i % 3 == 0; /* before the waiter has told libfuse of its function */
        start_flock(scene, req, 1, 2, LOCK_EX);
        for (volatile int spin = 0; spin < i * 300; spin++)
            continue;
        if (i % 3 != 0)
            interrupt(req);
        assert_int_equal(finish(req), EINTR);
    }
}

static void flush_ends_the_posix_locks_of_the_owner_alone(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 10), 0);
    assert_int_equal(do_posix(scene, 0, 3, F_WRLCK, 20, 10), 0);
    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX), 0);
    gfs_locks_flush(&scene->mount, &scene->handles[0], 1);
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 0, 10), 0);
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 20, 10), EAGAIN);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_EX | LOCK_NB), EAGAIN);
}

/* An OFD lock: the owner is the open file, which a RELEASE without flock does not name. */
static void release_ends_ofd_locks(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 77, F_WRLCK, 0, 10), 0);
    gfs_locks_flush(&scene->mount, &scene->handles[0], 1);
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 0, 10), EAGAIN);
    gfs_locks_release(&scene->mount, &scene->handles[0], 0);
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 0, 10), 0);
}

static void release_spares_what_another_open_file_locked(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 2, 1, F_WRLCK, 0, 10), 0);
    assert_int_equal(do_flock(scene, 2, 78, LOCK_EX), 0);
    gfs_locks_release(&scene->mount, &scene->handles[0], 0);
    assert_int_equal(do_posix(scene, 1, 2, F_WRLCK, 0, 10), EAGAIN);
    assert_int_equal(do_flock(scene, 1, 79, LOCK_SH | LOCK_NB), EAGAIN);
}

static void getlk_names_the_holder(void **state) {
    struct scene *scene = *state;

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 10, 10), 0);
    struct flock seen = ask_posix(scene, 1, 2, F_RDLCK, 0, 0);
    assert_int_equal(seen.l_type, F_WRLCK);
    assert_int_equal(seen.l_start, 10);
    assert_int_equal(seen.l_len, 10);
    assert_int_equal(seen.l_pid, 1001);
    assert_int_equal(ask_posix(scene, 0, 1, F_WRLCK, 0, 0).l_type, F_UNLCK);
    assert_int_equal(ask_posix(scene, 1, 2, F_WRLCK, 0, 10).l_type, F_UNLCK);

    /* Two share it: no pid rather than a wrong one. */
    assert_int_equal(do_posix(scene, 0, 1, F_RDLCK, 10, 10), 0);
    assert_int_equal(do_posix(scene, 0, 3, F_RDLCK, 10, 10), 0);
    seen = ask_posix(scene, 1, 2, F_WRLCK, 0, 0);
    assert_int_equal(seen.l_type, F_RDLCK);
    assert_int_equal(seen.l_pid, 0);
}

static void one_view_cannot_take_all_waiters(void **state) {
    struct scene *scene = *state;
    static struct fuse_req *waiting[GFS_LOCK_WAITERS_OF_VIEW_MAX];
    struct fuse_req *other = new_request();

    assert_int_equal(do_flock(scene, 0, 1, LOCK_EX), 0);
    for (uint64_t i = 0; i < GFS_LOCK_WAITERS_OF_VIEW_MAX; i++)
        start_flock(scene, waiting[i] = new_request(), 0, 100 + i, LOCK_EX);
    assert_int_equal(do_flock(scene, 0, 99, LOCK_EX), ENOLCK);
    start_flock(scene, other, 1, 2, LOCK_EX);
    assert_int_equal(wait_for_answer(other, 20), UNANSWERED);

    int64_t begin_ns = gfs_monotonic_ns();
    gfs_locks_stop(scene->mount.locks);
    assert_true(gfs_monotonic_ns() - begin_ns < 4 * GFS_NS_PER_S);
    for (size_t i = 0; i < GFS_LOCK_WAITERS_OF_VIEW_MAX; i++)
        assert_int_equal(finish(waiting[i]), EINTR);
    assert_int_equal(finish(other), EINTR);
    assert_int_equal(do_flock(scene, 1, 2, LOCK_EX), EINTR); /* would have to wait, after the stop */
}

static void killed_and_served_waiters_leave_nothing(void **state) {
    struct scene *scene = *state;
    struct fuse_req *waiting[40];

    assert_int_equal(do_posix(scene, 0, 1, F_WRLCK, 0, 0), 0);
    for (uint64_t i = 0; i < 40; i++)
        waiting[i] = start_posix(scene, (int)(i % 3), 100 + i, i % 2 ? F_WRLCK : F_RDLCK, 0, 0, true);
    for (size_t i = 0; i < 40; i += 4)
        interrupt(waiting[i]);
    for (size_t i = 0; i < 40; i += 4)
        assert_int_equal(finish(waiting[i]), EINTR);
    gfs_locks_flush(&scene->mount, &scene->handles[0], 1);
    for (int left = 30; left > 0;) {
        for (uint64_t i = 0; i < 40; i++) {
            if (i % 4 == 0 || !waiting[i] || wait_for_answer(waiting[i], 1) == UNANSWERED)
                continue;
            assert_int_equal(finish(waiting[i]), 0);
            waiting[i] = NULL;
            gfs_locks_flush(&scene->mount, &scene->handles[i % 3], 100 + i);
            left--;
        }
    }
    assert_nothing_left(scene);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_TEST(flock_excludes_the_other_view),
        SCENE_TEST(local_programs_are_excluded),
        SCENE_TEST(posix_ranges_of_one_owner_merge),
        SCENE_TEST(without_flush_posix_locks_end_with_the_file),
SCENE_TEST(a_late_release_is_waited_for),
SCENE_TEST(a_refused_lock_leaves_nothing_open),
        SCENE_TEST(unlocking_what_is_not_locked_succeeds),
        SCENE_TEST(a_waiter_gets_the_lock),
        SCENE_TEST(a_posix_waiter_gets_the_range),
        SCENE_TEST(an_interrupt_ends_the_wait),
        SCENE_TEST(an_interrupt_just_before_the_sleep_ends_it),
        SCENE_TEST(no_interrupt_is_lost),
        SCENE_TEST(flush_ends_the_posix_locks_of_the_owner_alone),
        SCENE_TEST(release_ends_ofd_locks),
        SCENE_TEST(release_spares_what_another_open_file_locked),
        SCENE_TEST(getlk_names_the_holder),
        SCENE_TEST(one_view_cannot_take_all_waiters),
        SCENE_TEST(killed_and_served_waiters_leave_nothing),
    };
    return cmocka_run_group_tests_name("fs_lock", tests, NULL, NULL);
}
