/* The mount options: what each is called, means and does. */
#include "fs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/clock.h"

enum { MAX_SECONDS = 86400, MAX_THREADS = 1024, MAX_AUDIT_FILES = 500 };

/* ---- values ---- */

static int replace(char **field, const char *value, struct gfs_error *err) {
    char *copy = strdup(value);
    if (!copy)
        return gfs_error_set(err, ENOMEM, "out of memory");
    free(*field);
    *field = copy;
    return 0;
}

/* Digits only: strtoul(3) would take blanks and signs as well. */
static int parse_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out,
                        struct gfs_error *err) {
    size_t length = strlen(text);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length)
        return gfs_error_set(err, EINVAL, "option %s=%s: not a whole number", name, text);
    uint64_t number = strtoull(text, NULL, 10);
    if (number < min || number > max)
        return gfs_error_set(err, EINVAL, "option %s=%s: must lie between %llu and %llu", name, text,
                             (unsigned long long)min, (unsigned long long)max);
    *out = number;
    return 0;
}

/* Seconds with up to nine decimals: "1", "0.5". */
static int parse_seconds(const char *name, const char *text, int64_t *out, struct gfs_error *err) {
    size_t whole = strspn(text, "0123456789");
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    size_t length = text[whole] == '.' ? whole + 1 + decimals : whole;
    if (whole == 0 || whole > 9 || text[length] != '\0' || decimals > 9 || (text[whole] == '.' && decimals == 0))
        return gfs_error_set(err, EINVAL, "option %s=%s: not a number of seconds, such as 1 or 0.5", name, text);
    int64_t ns = (int64_t)strtoul(text, NULL, 10) * GFS_NS_PER_S;
    int64_t unit = GFS_NS_PER_S / 10;
    for (size_t i = 0; i < decimals; i++, unit /= 10)
        ns += unit * (text[whole + 1 + i] - '0');
    if (ns > MAX_SECONDS * GFS_NS_PER_S)
        return gfs_error_set(err, EINVAL, "option %s=%s: at most %d seconds", name, text, MAX_SECONDS);
    *out = ns;
    return 0;
}

/* ---- what each option does ---- */

static int apply_user(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    if (!*value)
        return gfs_error_set(err, EINVAL, "option user=: the name of a user is missing");
    return replace(&options->mount.user, value, err);
}

static int apply_uid(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    uint64_t number = 0;
    int rc = parse_number("uid", value, 0, GFS_NO_UID - 1, &number, err);
    if (rc < 0)
        return rc;
    options->mount.uid = (uint32_t)number;
    options->uid_given = true;
    return 0;
}

static int apply_gid(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    uint64_t number = 0;
    int rc = parse_number("gid", value, 0, GFS_NO_UID - 1, &number, err);
    if (rc < 0)
        return rc;
    options->mount.gid = (uint32_t)number;
    options->gid_given = true;
    return 0;
}

static int apply_attr_timeout(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    struct gfs_mount_options *mount = &options->mount;
    int rc = parse_seconds("attr_timeout", value, &mount->attr_timeout_ns, err);
    if (rc == 0)
        mount->watched_attr_ns = mount->watched_file_attr_ns = mount->attr_timeout_ns;
    return rc;
}

static int apply_entry_timeout(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    int rc = parse_seconds("entry_timeout", value, &options->mount.entry_timeout_ns, err);
    if (rc == 0)
        options->mount.watched_entry_ns = options->mount.entry_timeout_ns;
    return rc;
}

static int apply_watch(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    static const char *const words[] = {[GFS_WATCH_AUTO] = "auto", [GFS_WATCH_YES] = "yes", [GFS_WATCH_NO] = "no"};
    for (int i = GFS_WATCH_AUTO; i <= GFS_WATCH_NO; i++) {
        if (strcmp(value, words[i]) == 0) {
            options->mount.watch = (enum gfs_watch_mode)i;
            return 0;
        }
    }
    return gfs_error_set(err, EINVAL, "option watch=%s: must be auto, yes or no", value);
}

static int apply_stale_limit(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    return parse_seconds("stale_limit", value, &options->mount.stale_limit_ns, err);
}

static int apply_max_threads(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    uint64_t number = 0;
    int rc = parse_number("max_threads", value, 1, MAX_THREADS, &number, err);
    if (rc < 0)
        return rc;
    options->mount.max_threads = (unsigned)number;
    return 0;
}

/* A number of bytes, with K, M or G behind it (powers of 1024). */
static int apply_audit_size(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    static const char units[] = "KMG";
    char digits[16];
    size_t length = strspn(value, "0123456789");
    const char *unit = value[length] ? strchr(units, value[length]) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    uint64_t number = 0;

    if (length >= sizeof digits || (value[length] && (!unit || value[length + 1])))
        return gfs_error_set(err, EINVAL, "option audit_size=%s: not a size, such as 64M", value);
    snprintf(digits, sizeof digits, "%.*s", (int)length, value);
    int rc = parse_number("audit_size", digits, 1, UINT64_C(1) << (40 - shift), &number, err);
    if (rc == 0 && (number << shift) < 64 << 10)
        rc = gfs_error_set(err, EINVAL, "option audit_size=%s: must lie between 64K and 1024G", value);
    if (rc == 0)
        options->mount.audit_bytes = (int64_t)(number << shift);
    return rc;
}

static int apply_audit_keep(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    uint64_t number = 0;
    int rc = parse_number("audit_keep", value, 1, MAX_AUDIT_FILES, &number, err);
    if (rc < 0)
        return rc;
    options->mount.audit_keep = (unsigned)number;
    return 0;
}

static int apply_io_uring(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    if (strcmp(value, "auto") != 0 && strcmp(value, "no") != 0)
        return gfs_error_set(err, EINVAL, "option io_uring=%s: must be auto or no", value);
    options->io_uring = strcmp(value, "auto") == 0;
    return 0;
}

static int apply_log(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    if (!*value)
        return gfs_error_set(err, EINVAL, "option log=: the name of a file is missing");
    return replace(&options->log_file, value, err);
}

static int apply_ro(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->mount.read_only = true;
    return 0;
}

static int apply_rw(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->mount.read_only = false;
    return 0;
}

static int apply_noexec(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->no_exec = true;
    return 0;
}

static int apply_exec(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->no_exec = false;
    return 0;
}

static int apply_noatime(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->no_atime = true;
    return 0;
}

static int apply_debug(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)value, (void)err;
    options->mount.debug = true;
    return 0;
}

static int apply_nothing(struct gfs_daemon_options *options, const char *value, struct gfs_error *err) {
    (void)options, (void)value, (void)err;
    return 0;
}

/* ---- the table ---- */

const struct gfs_option gfs_option_table[] = {
    {"user", "NAME", NULL, "show the view of this user alone, as the root of the mount", apply_user},
    {"uid", "N", NULL, "show this uid as the owner, not the user's; needs user=", apply_uid},
    {"gid", "N", NULL, "show this gid as the group, not the user's; needs user=", apply_gid},
    {"attr_timeout", "SECONDS", "1", "how long attributes are cached; longer where watch works, unless given",
     apply_attr_timeout},
    {"entry_timeout", "SECONDS", "1", "how long names are cached; longer where watch works, unless given",
     apply_entry_timeout},
    {"watch", "auto|yes|no", "auto", "see changes behind the mount at once; auto: not on the root filesystem",
     apply_watch},
    {"stale_limit", "SECONDS", "30", "when the store cannot be read, how long to go on before refusing everything",
     apply_stale_limit},
    {"max_threads", "N", "10", "threads that serve requests, at most", apply_max_threads},
    {"io_uring", "auto|no", "no", "auto: talk to the kernel through io_uring where that is possible", apply_io_uring},
    {"audit_size", "SIZE", "64M", "begin another file of the audit log when one has this size", apply_audit_size},
    {"audit_keep", "N", "10", "how many full files of the audit log stay", apply_audit_keep},
    {"log", "FILE", NULL, "append the log to this file", apply_log},
    {"ro", NULL, NULL, "mount read-only", apply_ro},
    {"noexec", NULL, NULL, "programs in the mount cannot be run", apply_noexec},
    {"noatime", NULL, NULL, "reading does not change access times", apply_noatime},
    {"debug", NULL, NULL, "log every request (slow)", apply_debug},
    /* mount(8) adds suid and dev by itself when it sees user=: so they cannot be refused */
    {"suid", NULL, NULL, NULL, apply_nothing},
    {"dev", NULL, NULL, NULL, apply_nothing},
    {"rw", NULL, NULL, NULL, apply_rw},
    {"exec", NULL, NULL, NULL, apply_exec},
    {"nosuid", NULL, NULL, NULL, apply_nothing},
    {"nodev", NULL, NULL, NULL, apply_nothing},
    {"defaults", NULL, NULL, NULL, apply_nothing},
    {"auto", NULL, NULL, NULL, apply_nothing},
    {"noauto", NULL, NULL, NULL, apply_nothing},
    {"nofail", NULL, NULL, NULL, apply_nothing},
    {"user", NULL, NULL, NULL, apply_nothing},
    {"users", NULL, NULL, NULL, apply_nothing},
    {"nouser", NULL, NULL, NULL, apply_nothing},
    {"atime", NULL, NULL, NULL, apply_nothing},
    {"relatime", NULL, NULL, NULL, apply_nothing},
    {"async", NULL, NULL, NULL, apply_nothing},
    {"_netdev", NULL, NULL, NULL, apply_nothing},
    {NULL, NULL, NULL, NULL, NULL},
};
