/*
 * coherence turns|turns-fast|free SECONDS SEED PROCESSES BACKING ROOT:UID...
 *
 * Process number i works through view i modulo the number of views, as its user. Ends with 0 when
 * nothing was stale, with 1 when something was, with 2 when it could not be tried.
 */
#include <errno.h>
#include <grp.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "coherence.h"

enum { HANGS_AFTER_S = 30 };

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* splitmix64 */
uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

unsigned below(uint64_t *state, unsigned limit) {
    return (unsigned)(next_random(state) % limit);
}

/* ---- bells ---- */

void bell_ring(struct bell *bell) {
    atomic_fetch_add(&bell->count, 1);
    syscall(SYS_futex, &bell->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool bell_wait(struct bell *bell, uint32_t last) {
    const struct timespec limit = {.tv_sec = HANGS_AFTER_S};

    while (atomic_load(&bell->count) == last)
        if (syscall(SYS_futex, &bell->count, FUTEX_WAIT, last, &limit, NULL, 0) && errno == ETIMEDOUT)
            return false;
    return true;
}

void send_job(struct run *run, int process, enum job job) {
    struct process *to = &run->common->processes[process];
    to->job = job;
    bell_ring(&to->wanted);
}

void await(struct run *run, int process) {
    struct process *of = &run->common->processes[process];

    if (bell_wait(&of->done, atomic_load(&of->wanted.count) - 1))
        return;
    char text[3 * TEXT];
    order_text(text, sizeof text, &of->order);
    printf("HANGS: process %d has not answered for %d s: %s\n", process, HANGS_AFTER_S, text);
    exit(1);
}

/* ---- processes ---- */

static void serve(struct run *run) {
    struct process *me = &run->common->processes[run->self];

    for (uint32_t last = 0;; last++) {
        while (!bell_wait(&me->wanted, last))
            ;
        if (me->job == JOB_END)
            _exit(0);
        if (me->job == JOB_FREE || me->job == JOB_LOOK)
            run_free(run, me->job == JOB_LOOK);
        else if (me->order.act == CHECK)
            run_check(run, &me->order);
        else
            run_order(run, &me->order);
        bell_ring(&me->done);
    }
}

static void become(struct run *run, int self, pid_t parent) {
    uid_t uid = run->views[self % run->view_count].uid;

    run->self = self;
    umask(0);
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) {
        perror("setresuid");
        _exit(2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    serve(run);
}

void start(struct run *run) {
    pid_t parent = getpid();

    for (int i = 0; i < run->process_count; i++) {
        run->common->processes[i].view = i % run->view_count;
        pid_t child = fork();
        if (child < 0) {
            perror("fork");
            exit(2);
        }
        if (!child)
            become(run, i, parent);
    }
}

static int usage(void) {
    fprintf(stderr, "usage: coherence turns|turns-fast|free SECONDS SEED PROCESSES BACKING ROOT:UID...\n");
    return 2;
}

static bool add_view(struct run *run, char *argument) {
    char *colon = strrchr(argument, ':');

    if (!colon || run->view_count == VIEWS_MAX)
        return false;
    *colon = '\0';
    run->views[run->view_count++] = (struct view){.root = argument, .uid = (uid_t)strtoul(colon + 1, NULL, 10)};
    return true;
}

int main(int argc, char **argv) {
    struct run run = {.mismatches_max = 5};

    if (argc < 8)
        return usage();
    run.seconds = strtod(argv[2], NULL);
    run.seed = strtoull(argv[3], NULL, 10);
    run.process_count = atoi(argv[4]);
    run.backing = argv[5];
    for (int i = 6; i < argc; i++)
        if (!add_view(&run, argv[i]))
            return usage();
    if (run.process_count < run.view_count || run.process_count > PROCESSES_MAX)
        return usage();
    run.common = mmap(NULL, sizeof *run.common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.common == MAP_FAILED)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    run.fast = !strcmp(argv[1], "turns-fast");
    bool in_turns = run.fast || !strcmp(argv[1], "turns");
    if (!in_turns && strcmp(argv[1], "free") != 0)
        return usage();
    int mismatches = in_turns ? turns(&run) : free_running(&run);
    for (int i = 0; i < run.process_count; i++)
        send_job(&run, i, JOB_END);
    return mismatches ? 1 : 0;
}
