/*
 * guildfs audit: the audit of the store and the logs of all mounts, taken together by time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/administer.h"
#include "core/cli/audit_match.h"
#include "core/cli/audit_show.h"
#include "core/cli/commands.h"
#include "core/cli/output.h"
#include "core/store/share.h"
#include "core/store/user.h"
#include "guildfs/audit.h"
#include "guildfs/op.h"
#include "guildfs/value.h"

#define DEFAULT_LIMIT 1000

static const struct cli_column columns[] = {
    {"time", "TIME"},
    {"outcome", "OUTCOME"},
    {"operation", "OPERATION"},
    {"user", "USER"},
    {"what", "WHAT"},
    {"process", "PROCESS"},
    {"why", "WHY"},
    {0},
};

/* ---- what was found: the newest `limit` ---- */

struct found {
    const struct cli_audit_query *query;
    size_t limit, count, left_out;
    struct row {
        int64_t time_ns;
        size_t number; /* of two at the same time, the one read first comes first */
        json_t *record;
    } * rows;
    size_t size, next_number;
};

static int compare(const void *a, const void *b) {
    const struct row *one = a, *other = b;
    if (one->time_ns != other->time_ns)
        return one->time_ns < other->time_ns ? -1 : 1;
    return one->number < other->number ? -1 : one->number > other->number;
}

/* In order, without what is older than the newest `limit`. */
static void settle(struct found *found) {
    size_t surplus = found->count > found->limit ? found->count - found->limit : 0;
    if (found->count)
        qsort(found->rows, found->count, sizeof *found->rows, compare);
    for (size_t i = 0; i < surplus; i++)
        json_decref(found->rows[i].record);
    found->count -= surplus;
    found->left_out += surplus;
    if (surplus)
        memmove(found->rows, found->rows + surplus, found->count * sizeof *found->rows);
}

/* Takes over the record. */
static int keep(struct found *found, json_t *record, int64_t time_ns) {
    if (record && found->count / 2 >= found->limit)
        settle(found);
    if (record && found->count == found->size) {
        size_t size = found->size ? 2 * found->size : 1024;
        struct row *rows = reallocarray(found->rows, size, sizeof *rows);
        if (rows) {
            found->rows = rows;
            found->size = size;
        }
    }
    if (!record || found->count == found->size) {
        json_decref(record);
        return -ENOMEM;
    }
    found->rows[found->count++] = (struct row){time_ns, found->next_number++, record};
    return 0;
}

static void drop_all(struct found *found) {
    for (size_t i = 0; i < found->count; i++)
        json_decref(found->rows[i].record);
    free(found->rows);
}

/* ---- the store ---- */

static json_t *json_of(const char *text) {
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *entry_json(const struct gfs_audit_entry *entry) {
    char time[GFS_AUDIT_TIME_SIZE];
    gfs_audit_time_format(entry->at_ns, time);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:{s:o, s:I, s:o}, s:o, s:o, s:o, s:I}", "source", "store", "time",
                     time, "event", "administration", "outcome", "allowed", "operation", entry->action, "user",
                     cli_json_text(entry->actor_name), "object", "kind", cli_json_text(entry->object_kind), "id",
                     (json_int_t)entry->object, "name", cli_json_text(entry->object_name), "before",
                     json_of(entry->before), "after", json_of(entry->after), "origin", cli_json_text(entry->origin),
                     "generation", (json_int_t)entry->generation);
}

static int take_entry(void *context, const struct gfs_audit_entry *entry) {
    struct found *found = context;
    json_t *record = entry_json(entry);
    if (record && !cli_audit_matches_entry(found->query, entry, record)) {
        json_decref(record);
        return 0;
    }
    return keep(found, record, entry->at_ns);
}

/* ---- the logs ---- */

static int take_record(void *context, const json_t *record, int64_t time_ns) {
    struct found *found = context;
    if (!cli_audit_matches(found->query, record))
        return 0;
    json_t *copy = json_pack("{s:s}", "source", "files");
    if (copy && json_object_update(copy, (json_t *)(uintptr_t)record) < 0) {
        json_decref(copy);
        copy = NULL;
    }
    return keep(found, copy, time_ns);
}

static int read_logs(const char *store, struct found *found, uint64_t *damaged, struct gfs_error *err) {
    struct gfs_audit_reading reading = {
        .since_ns = found->query->since_ns, .until_ns = found->query->until_ns, .each = take_record, .context = found};
    int rc = gfs_audit_read(store, &reading, err);
    *damaged = reading.damaged;
    return rc;
}

/* ---- what was asked ---- */

static int parse_times(const struct cli_call *call, struct cli_audit_query *query, struct gfs_error *err) {
    const char *since = cli_option(call, "since"), *until = cli_option(call, "until");
    int64_t now_ns = gfs_now_ns();
    int rc = 0;
    query->until_ns = GFS_NEVER;
    if (since)
        rc = gfs_moment_parse(since, now_ns, &query->since_ns, err);
    if (rc == 0 && until)
        rc = gfs_moment_parse(until, now_ns, &query->until_ns, err);
    if (rc == 0 && until && query->until_ns < GFS_NEVER - GFS_NS_PER_S)
        query->until_ns += GFS_NS_PER_S - 1; /* that second is included */
    return rc;
}

/* A name of an operation on files, or of an act of administration: "grant.set". */
static int parse_operation(const char *name, struct gfs_error *err) {
    enum gfs_op op;
    return !name || strchr(name, '.') ? 0 : gfs_op_parse(name, &op, err);
}

static int parse_limit(const char *text, size_t *limit, struct gfs_error *err) {
    *limit = DEFAULT_LIMIT;
    if (!text)
        return 0;
    size_t length = strlen(text);
    *limit = SIZE_MAX;
    if (strcmp(text, "none") == 0)
        return 0;
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length || strtoul(text, NULL, 10) == 0)
        return gfs_error_set(err, EINVAL, "--limit %s: a whole number of records, at least 1, or none", text);
    *limit = strtoul(text, NULL, 10);
    return 0;
}

/* By identity, where the log has it: a user or share may have had another name then. */
static int find_subjects(struct cli_session *session, const char *share_name, struct cli_audit_query *query,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    int rc = 0;
    if (query->user)
        rc = gfs_admin_user_load(session->store, &session->actor, query->user, &user, err);
    if (rc == 0 && share_name)
        rc = gfs_admin_share_load(session->store, &session->actor, share_name, &share, err);
    if (user)
        snprintf(query->user_uuid, sizeof query->user_uuid, "%s", user->uuid);
    if (share) {
        snprintf(query->share_uuid, sizeof query->share_uuid, "%s", share->uuid);
        query->share = share->id;
        query->of_share = true;
    }
    return rc;
}

static int search(const struct cli_call *call, struct cli_audit_query *query, struct found *found, uint64_t *damaged,
                  struct gfs_error *err) {
    struct cli_session session;
    int rc = cli_session_begin(call, false, &session, err);
    if (rc == 0)
        rc = gfs_may_administer(session.store, &session.actor, NULL, err);
    if (rc == 0)
        rc = find_subjects(&session, cli_option(call, "share"), query, err);
    if (rc == 0 && !cli_option(call, "files-only"))
        rc = gfs_admin_audit_each(session.store, &session.actor, query->since_ns, take_entry, found, err);
    if (rc == 0 && !cli_option(call, "store-only"))
        rc = read_logs(gfs_store_path(session.store), found, damaged, err);
    cli_session_end(&session);
    return rc;
}

/* ---- the answer ---- */

static json_t *listed(struct found *found, bool rows) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < found->count; i++) {
        json_t *record = found->rows[i].record;
        json_array_append_new(list, rows ? cli_audit_row(record) : json_incref(record));
    }
    return list;
}

/* On standard error, so that it does not get into the answer. */
static void say_what_is_missing(const struct found *found, uint64_t damaged) {
    if (found->left_out)
        fprintf(stderr, "guildfs: the newest %zu of %zu are shown; see --limit\n", found->count,
                found->count + found->left_out);
    if (damaged)
        fprintf(stderr, "guildfs: %llu damaged line%s of the log %s left out\n", (unsigned long long)damaged,
                damaged == 1 ? "" : "s", damaged == 1 ? "was" : "were");
}

enum gfs_exit cli_audit(struct cli_call *call) {
    struct cli_audit_query query = {.user = cli_option(call, "user"),
                                    .path = cli_option(call, "path"),
                                    .operation = cli_option(call, "operation"),
                                    .denied = cli_option(call, "denied") != NULL};
    struct found found = {.query = &query};
    struct gfs_error err;
    uint64_t damaged = 0;
    if (cli_option(call, "files-only") && cli_option(call, "store-only"))
        return cli_usage_error(call, "--files-only and --store-only leave nothing to search");
    int rc = parse_times(call, &query, &err);
    if (rc == 0)
        rc = parse_operation(query.operation, &err);
    if (rc == 0)
        rc = parse_limit(cli_option(call, "limit"), &found.limit, &err);
    if (rc == 0)
        rc = search(call, &query, &found, &damaged, &err);
    settle(&found);
    enum gfs_exit outcome = rc < 0 ? cli_fail(call, &err) : cli_print_list(call, listed(&found, !call->json), columns);
    if (rc == 0)
        say_what_is_missing(&found, damaged);
    drop_all(&found);
    return outcome;
}
