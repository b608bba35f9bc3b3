/*
 * guildfsd: what is started in which order, and ended in the reverse one.
 *
 * Privileges are given up before the first thread is started, because they belong to threads,
 * and before anything that others wrote is read: the store, and what is in the mount.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/background.h"
#include "fs/call.h"
#include "fs/capabilities.h"
#include "fs/control.h"
#include "fs/crash.h"
#include "fs/options.h"
#include "fs/revoke.h"
#include "fs/session.h"
#include "fs/signals.h"
#include "fs/stale.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

static const int64_t HANGS_NS = 20 * GFS_NS_PER_S;

struct daemon {
    struct gfs_daemon_options options;
    struct gfs_mount mount;
    struct gfs_report report;
    struct gfs_signals *signals;
    struct gfs_control *control;
    struct gfs_session_stop stop;
    struct gfs_crash crash; /* what the daemon before left behind */
    pthread_t ready_thread;
    bool ready_thread_runs, tables, mounted;
    _Atomic bool failed; /* in another thread than main's */
    pthread_mutex_t change_lock;
    bool takes_changes; /* under change_lock: the tables are there for gfs_mount_changed() */
};

/* ---- what other threads call ---- */

/* The authority lives longer than the tables that its changes go to. */
static void on_change(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after) {
    struct daemon *daemon = context;
    pthread_mutex_lock(&daemon->change_lock);
    if (daemon->takes_changes)
        gfs_mount_changed(&daemon->mount, before, after);
    pthread_mutex_unlock(&daemon->change_lock);
}

static void on_stale(void *context) {
    struct daemon *daemon = context;
    pthread_mutex_lock(&daemon->change_lock);
    if (daemon->takes_changes) {
        gfs_revoke_stale(&daemon->mount);
        gfs_mount_stale(&daemon->mount);
    }
    pthread_mutex_unlock(&daemon->change_lock);
}

static void take_changes(struct daemon *daemon, bool on) {
    pthread_mutex_lock(&daemon->change_lock);
    daemon->takes_changes = on;
    pthread_mutex_unlock(&daemon->change_lock);
}

static void on_stop(void *context, struct gfs_signals *signals) {
    struct daemon *daemon = context;
    gfs_log(GFS_LOG_NOTICE, "stopping", "mountpoint=%s", daemon->mount.options.mountpoint);
    gfs_service_notify("STOPPING=1\nSTATUS=Unmounting");
    gfs_session_stop(&daemon->stop, signals);
}

static void on_reload(void *context) {
    struct daemon *daemon = context;
    struct gfs_error err = {.code = 0};
    if (daemon->options.log_file && gfs_log_to_file(daemon->options.log_file, &err) < 0)
        gfs_log(GFS_LOG_ERROR, "log-not-reopened", "problem=%s", err.message);
    if (gfs_authority_refresh(daemon->mount.authority, &err) < 0)
        gfs_log(GFS_LOG_ERROR, "not-reloaded", "problem=%s", err.message);
    else
        gfs_log(GFS_LOG_NOTICE, "reloaded", "mountpoint=%s", daemon->mount.options.mountpoint);
}

/* The thread that keeps the policy looks at the store every second, and says so, or what is wrong with it. When it
 * does neither it hangs, and the policy with it. */
static void on_tick(void *context) {
    struct daemon *daemon = context;
    struct gfs_authority_status status;
    gfs_authority_status(daemon->mount.authority, &status);
    bool hangs = !*status.problem && gfs_now_ns() - status.last_read_ns > HANGS_NS;
    if (!hangs)
        gfs_service_notify("WATCHDOG=1");
}

static void tell_ready(const struct daemon *daemon) {
    char state[2 * PATH_MAX + 64];
    snprintf(state, sizeof state, "READY=1\nSTATUS=Serving %s on %s", daemon->mount.options.store,
             daemon->mount.options.mountpoint);
    gfs_service_notify(state);
}

static void on_report(void *context) {
    struct daemon *daemon = context;
    char *line = gfs_control_describe(&daemon->mount);
    if (line)
        gfs_log(GFS_LOG_NOTICE, "status", "json=%s", line);
    free(line);
}

static void on_give_up(void *context) {
    struct daemon *daemon = context;
    gfs_control_unlink(daemon->control);
}

/* Asks the mount something that only the daemon can answer. */
static void *wait_ready(void *context) {
    struct daemon *daemon = context;
    const char *mountpoint = daemon->mount.options.mountpoint;
    struct gfs_error err = {.code = 0};
    struct statx answer;
    if (statx(AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &answer) == 0) {
        gfs_log(GFS_LOG_NOTICE, "mounted", "mountpoint=%s store=%s", mountpoint, daemon->mount.options.store);
        gfs_report_ready(&daemon->report);
        tell_ready(daemon);
        return NULL;
    }
    gfs_error_set(&err, errno, "the mount on %s does not answer: %s", mountpoint, strerror(errno));
    atomic_store(&daemon->failed, true);
    gfs_report_failure(&daemon->report, &err);
    kill(getpid(), SIGTERM);
    return NULL;
}

/* ---- the steps of the start ---- */

static void nothing(int number) {
    (void)number;
}

static int prepare_process(struct gfs_error *err) {
    struct sigaction wake = {.sa_handler = nothing}; /* no SA_RESTART: see session_stop.c */
    struct rlimit limit;
    if (geteuid() != 0)
        return gfs_error_set(err, EPERM, "only root can serve a store");
    umask(0); /* the mode that a program asks for has been cut by its own */
    sigaction(SIGUSR2, &wake, NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    int rc = gfs_signals_block(err);
    return rc < 0 ? rc : gfs_capabilities_drop(err);
}

static int resolve_paths(struct daemon *daemon, struct gfs_error *err) {
    struct gfs_mount_options *options = &daemon->options.mount;
    char *store = realpath(options->store, NULL), *mountpoint;
    if (!store && errno == ENOENT)
        return gfs_error_set(err, ENOENT, "there is no store %s; make one with guildfs init", options->store);
    if (!store)
        return gfs_error_set(err, errno, "store %s: %s", options->store, strerror(errno));
    free(options->store);
    options->store = store;
    int rc = gfs_mountpoint_prepare(options->mountpoint, store, &mountpoint, &daemon->crash, err);
    if (rc < 0)
        return rc;
    free(options->mountpoint);
    options->mountpoint = mountpoint;
    return 0;
}

static int find_only_user(struct gfs_mount *mount, struct gfs_error *err) {
    const char *name = mount->options.user;
    if (!name)
        return 0;
    const struct gfs_snapshot *snapshot = gfs_authority_enter(mount->authority);
    if (!snapshot)
        return gfs_error_set(err, EIO, "the store %s cannot be read", mount->options.store);
    const struct gfs_user *user = gfs_snapshot_user_by_name(snapshot, name);
    mount->only_user = user ? user->id : 0;
    gfs_authority_leave(mount->authority, snapshot);
    return user ? 0
                : gfs_error_set(err, ENOENT, "option user=%s: there is no such user; guildfs user list shows them",
                                name);
}

static int open_store(struct daemon *daemon, struct gfs_error *err) {
    struct gfs_authority_options options = {.stale_limit_ns = daemon->options.mount.stale_limit_ns,
                                            .changed = on_change,
                                            .stale = on_stale,
                                            .context = daemon};
    daemon->mount.options = daemon->options.mount; /* lent: the strings stay with daemon->options */
    int rc = gfs_authority_new(daemon->mount.options.store, &options, &daemon->mount.authority, err);
    return rc < 0 ? rc : find_only_user(&daemon->mount, err);
}

static int mount_it(struct daemon *daemon, struct gfs_error *err) {
    struct gfs_mount *mount = &daemon->mount;
    int rc = gfs_session_new(mount, &daemon->options, err);
    if (rc < 0)
        return rc;
    rc = gfs_mount_tables_new(mount, err);
    if (rc < 0)
        return rc;
    daemon->tables = true;
    gfs_crash_deal(mount, &daemon->crash);
    take_changes(daemon, true);
    daemon->stop.mount = mount;
    daemon->stop.server = pthread_self();
    daemon->stop.give_up = on_give_up;
    daemon->stop.context = daemon;
    rc = gfs_session_mount(mount, &daemon->stop.device, err);
    if (rc < 0)
        return rc;
    daemon->mounted = true;
    return gfs_mount_start(mount, daemon->stop.device, err);
}

static int start_threads(struct daemon *daemon, struct gfs_error *err) {
    struct gfs_signal_actions actions = {.stop = on_stop,
                                         .reload = on_reload,
                                         .report = on_report,
                                         .tick = on_tick,
                                         .tick_ms = gfs_service_watchdog_ms(),
                                         .context = daemon};
    struct gfs_error problem;
    /* The mount can do without its status socket. */
    if (gfs_control_start(&daemon->mount, daemon->stop.device, &daemon->control, &problem) < 0)
        gfs_log(GFS_LOG_WARNING, "no-status-socket", "problem=%s", problem.message);
    int rc = gfs_signals_start(&actions, &daemon->signals, err);
    if (rc < 0)
        return rc;
    int code = pthread_create(&daemon->ready_thread, NULL, wait_ready, daemon);
    daemon->ready_thread_runs = code == 0;
    return code == 0 ? 0 : gfs_error_set(err, code, "cannot start a thread: %s", strerror(code));
}

static int start(struct daemon *daemon, struct gfs_error *err) {
    int rc = prepare_process(err);
    if (rc == 0)
        rc = resolve_paths(daemon, err);
    if (rc == 0)
        rc = open_store(daemon, err);
    if (rc == 0)
        rc = mount_it(daemon, err);
    return rc == 0 ? start_threads(daemon, err) : rc;
}

/* ---- the end ---- */

/* In the reverse order of start(), as far as that came. */
static void end(struct daemon *daemon) {
    struct gfs_mount *mount = &daemon->mount;
    if (daemon->mounted)
        gfs_session_detach(&daemon->stop);
    take_changes(daemon, false);
    gfs_control_end(daemon->control);
    if (daemon->tables)
        gfs_mount_stop(mount);
    gfs_signals_end(daemon->signals); /* up to here it watches that nothing hangs */
    if (daemon->mounted)
        gfs_session_close(&daemon->stop);
    gfs_session_free(mount);
    if (daemon->ready_thread_runs)
        pthread_join(daemon->ready_thread, NULL);
    if (daemon->tables)
        gfs_mount_tables_free(mount);
    if (mount->authority)
        gfs_authority_free(mount->authority);
}

static enum gfs_exit fail(struct daemon *daemon, const struct gfs_error *err) {
    /* In the foreground without a log file, log and report are one. */
    if (daemon->report.to_parent || daemon->options.log_file)
        gfs_log(GFS_LOG_ERROR, "failed", "problem=%s", err->message);
    gfs_report_failure(&daemon->report, err);
    return GFS_EXIT_FAILED;
}

static enum gfs_exit serve(struct daemon *daemon) {
    struct gfs_error err = {.code = 0};
    int rc = start(daemon, &err);
    if (rc == 0)
        rc = gfs_session_serve(&daemon->mount, &err);
    enum gfs_exit outcome = rc < 0 ? fail(daemon, &err) : GFS_EXIT_DONE;
    end(daemon);
    if (atomic_load(&daemon->failed))
        return GFS_EXIT_FAILED;
    if (rc == 0 && !gfs_report_done(&daemon->report)) {
        gfs_error_set(&err, EINTR, "the mount was ended before it answered");
        return fail(daemon, &err);
    }
    if (rc == 0)
        gfs_log(GFS_LOG_NOTICE, "unmounted", "mountpoint=%s", daemon->mount.options.mountpoint);
    return outcome;
}

/* ---- where it runs, and where its log goes ---- */

/* The log file's name and both paths are meant where the command was given, and the background
 * is in "/". */
static int make_absolute(char **path, struct gfs_error *err) {
    char *here, *joined;
    if (!*path || **path == '/')
        return 0;
    here = getcwd(NULL, 0);
    if (!here)
        return gfs_error_set(err, errno, "cannot tell the current directory: %s", strerror(errno));
    int length = asprintf(&joined, "%s/%s", strcmp(here, "/") == 0 ? "" : here, *path);
    free(here);
    if (length < 0)
        return gfs_error_set(err, ENOMEM, "out of memory");
    free(*path);
    *path = joined;
    return 0;
}

static int make_all_absolute(struct gfs_daemon_options *options, struct gfs_error *err) {
    int rc = make_absolute(&options->mount.store, err);
    if (rc == 0)
        rc = make_absolute(&options->mount.mountpoint, err);
    return rc == 0 ? make_absolute(&options->log_file, err) : rc;
}

static int open_log(const struct daemon *daemon, struct gfs_error *err) {
    if (daemon->options.mount.debug)
        gfs_log_set_level(GFS_LOG_DEBUG);
    if (!daemon->options.log_file) {
        if (daemon->report.to_parent)
            gfs_log_use_syslog("guildfsd");
        return 0;
    }
    return gfs_log_to_file(daemon->options.log_file, err);
}

/* What whoever started us had open would stay open with us, a pipe's end for instance. */
static void close_inherited(void) {
    close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static enum gfs_exit run(struct daemon *daemon) {
    struct gfs_error err = {.code = 0};
    int rc = make_all_absolute(&daemon->options, &err);
    if (rc == 0 && !daemon->options.mount.foreground) {
        enum gfs_exit parent_exit = GFS_EXIT_FAILED;
        rc = gfs_background_enter(&daemon->report, &parent_exit, &err);
        if (rc > 0)
            return parent_exit;
    }
    if (rc == 0)
        rc = open_log(daemon, &err);
    if (rc < 0)
        return fail(daemon, &err);
    return serve(daemon);
}

static enum gfs_exit usage_error(const char *program, const struct gfs_error *err) {
    fprintf(stderr, "%s: %s\n", program, err->message);
    return err->code == EINVAL ? GFS_EXIT_USAGE : GFS_EXIT_FAILED;
}

int main(int argc, char **argv) {
    struct daemon daemon = {.change_lock = PTHREAD_MUTEX_INITIALIZER};
    struct gfs_error err = {.code = 0};
    bool helper = argc > 0 && gfs_options_is_helper(argv[0]);
    const char *program = helper ? "mount.guildfs" : "guildfsd";
    enum gfs_exit outcome = GFS_EXIT_DONE;

    if (gfs_options_parse(argc, argv, &daemon.options, &err) < 0) {
        outcome = usage_error(program, &err);
    } else if (daemon.options.action == GFS_OPTIONS_HELP) {
        gfs_options_help(stdout, helper);
    } else if (daemon.options.action == GFS_OPTIONS_VERSION) {
        printf("guildfsd %s\nlibfuse %s\n", GUILDFS_VERSION, fuse_pkgversion());
    } else if (daemon.options.action == GFS_OPTIONS_SERVE) {
        close_inherited();
        gfs_report_new(&daemon.report, program);
        outcome = run(&daemon);
    }
    gfs_options_free(&daemon.options);
    return (int)outcome;
}
