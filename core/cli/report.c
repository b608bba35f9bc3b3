/* What every command needs: errors, the acting person, the store. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cli/cli.h"
#include "core/cli/output.h"
#include "guildfs/admin.h"
#include "guildfs/store.h"

/* How long a command waits for another one that changes the store. */
#define STORE_TIMEOUT_MS 5000

static enum gfs_exit report(const struct cli_call *call, int code, const char *message, enum gfs_exit exit_code) {
    /* A name in the message need not be UTF-8. */
    json_t *text = cli_json_text(message);
    if (!call->json) {
        fprintf(stderr, "guildfs: %s\n", text ? json_string_value(text) : strerror(code));
        json_decref(text);
        return exit_code;
    }
    const char *name = strerrorname_np(code);
    json_t *error =
        json_pack("{s:{s:s, s:o, s:i}}", "error", "code", name ? name : "EIO", "message", text, "exit", (int)exit_code);
    json_dumpf(error, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(error);
    return exit_code;
}

enum gfs_exit cli_fail(const struct cli_call *call, const struct gfs_error *err) {
    enum gfs_exit exit_code = err->code == EINVAL  ? GFS_EXIT_USAGE
                              : err->code == EPERM ? GFS_EXIT_DENIED
                                                   : GFS_EXIT_FAILED;
    return report(call, err->code, *err->message ? err->message : strerror(err->code), exit_code);
}

enum gfs_exit cli_usage_error(const struct cli_call *call, const char *format, ...) {
    /* gfs_error_set() replaces control characters, and it takes no va_list. */
    char text[sizeof((struct gfs_error *)0)->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct gfs_error err;
    gfs_error_set(&err, EINVAL, "%s", text);
    return report(call, EINVAL, err.message, GFS_EXIT_USAGE);
}

int cli_actor(const struct cli_call *call, struct gfs_actor *actor, struct gfs_error *err) {
    if (geteuid() != 0)
        return gfs_error_set(err, EACCES,
                             "only root may administer a store; run guildfs as root (with sudo, for instance)");
    *actor = (struct gfs_actor){.user = call->as};
    gfs_actor_origin(actor);
    return 0;
}

int cli_open_store(const struct cli_call *call, bool write, struct gfs_store **store, struct gfs_error *err) {
    if (geteuid() != 0)
        return gfs_error_set(err, EACCES, "only root may open a store; run guildfs as root (with sudo, for instance)");
    return gfs_store_open(call->store_directory, write ? GFS_STORE_WRITE : GFS_STORE_READ, STORE_TIMEOUT_MS, store,
                          err);
}
