/*
 * The decision for each main operation on an item, then who gave what. This calls gfs_decide()
 * besides the guard, but nothing hangs on the answer: it is words.
 */
#include "fs/ops/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "guildfs/clock.h"

static const enum gfs_op operations_on_file[] = {GFS_OP_OPEN_READ, GFS_OP_OPEN_WRITE, GFS_OP_RENAME, GFS_OP_UNLINK};
static const enum gfs_op operations_on_other[] = {GFS_OP_STAT, GFS_OP_RENAME, GFS_OP_UNLINK};
static const enum gfs_op operations_on_folder[] = {GFS_OP_LIST, GFS_OP_CREATE, GFS_OP_MKDIR, GFS_OP_RENAME,
                                                   GFS_OP_RMDIR};
/* The root of a share is renamed and removed by administration only. */
enum { OPERATIONS_ON_ROOT = 3 };

static const enum gfs_op *operations_on(const struct gfs_explanation *explanation, size_t *count) {
    if (S_ISDIR(explanation->mode)) {
        *count = explanation->facts.share_root ? OPERATIONS_ON_ROOT
                                               : sizeof(operations_on_folder) / sizeof(operations_on_folder[0]);
        return operations_on_folder;
    }
    if (S_ISREG(explanation->mode)) {
        *count = sizeof(operations_on_file) / sizeof(operations_on_file[0]);
        return operations_on_file;
    }
    *count = sizeof(operations_on_other) / sizeof(operations_on_other[0]);
    return operations_on_other;
}

/* The first line of gfs_decision_explain() is the verdict; what follows in it stands once, below. */
static void write_verdict(FILE *out, const struct gfs_facts *facts, enum gfs_op op) {
    const struct gfs_decision decision = gfs_decide(facts, op);
    char line[512];

    gfs_decision_explain(&decision, facts, op, NULL, 0, line, sizeof(line));
    fprintf(out, "%.*s\n", (int)strcspn(line, "\n"), line);
}

static void write_sources(FILE *out, const struct gfs_explanation *explanation) {
    char perms[GFS_PERMS_TEXT_SIZE];

    for (size_t i = 0; i < explanation->source_count; i++) {
        const struct gfs_source *source = &explanation->sources[i];
        gfs_perms_format(source->perms & GFS_ALL_PERMS, perms);
        fprintf(out, "\n  %s: %s", source->via ? source->via : "unnamed", perms);
    }
    if (explanation->ceiling != GFS_ALL_PERMS) {
        gfs_perms_format(explanation->ceiling & GFS_ALL_PERMS, perms);
        fprintf(out, "\n  at most, by the organization's ceiling: %s", perms);
    }
    if (explanation->suspended)
        fputs("\n  nothing: the account is suspended", out);
    if (explanation->facts.archived)
        fputs("\n  view and download at most: the share is archived", out);
}

static void write_pending(FILE *out, const struct gfs_explanation *explanation) {
    if (explanation->pending_until_ns == 0)
        return;
    if (explanation->pending_until_ns == GFS_NEVER) {
        fputs("\nyour own pending upload: while you have it open for writing", out);
        return;
    }
    const time_t seconds = explanation->pending_until_ns / GFS_NS_PER_S;
    char text[64] = "";
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(out, "\nyour own pending %s: until %s", S_ISDIR(explanation->mode) ? "folder" : "upload", text);
}

int gfs_explanation_write(const struct gfs_explanation *explanation, char **text, size_t *length) {
    char *buffer = NULL, perms[GFS_PERMS_TEXT_SIZE];
    size_t size = 0, count;
    FILE *out = open_memstream(&buffer, &size);

    if (!out)
        return -ENOMEM;
    const enum gfs_op *operations = operations_on(explanation, &count);
    for (size_t i = 0; i < count; i++)
        write_verdict(out, &explanation->facts, operations[i]);
    gfs_perms_format(explanation->facts.effective & GFS_ALL_PERMS, perms);
    fprintf(out, "%s holds on %s: %s", explanation->user, explanation->share, perms);
    write_sources(out, explanation);
    write_pending(out, explanation);
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(buffer);
        return -ENOMEM;
    }
    *text = buffer;
    *length = size;
    return 0;
}
