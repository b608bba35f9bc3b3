/*
 * The decision in words. What `guildfs check --explain` and the xattr user.guildfs.explain print.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "guildfs/decision.h"

/* What has been written, and what would have been: as snprintf(3) counts. */
struct text {
    char *buffer;
    size_t size, length;
};

static void GFS_PRINTF(2, 3) add(struct text *text, const char *format, ...) {
    bool room = text->length < text->size;
    va_list arguments;

    va_start(arguments, format);
    int length =
        vsnprintf(room ? text->buffer + text->length : NULL, room ? text->size - text->length : 0, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += (size_t)length;
}

static const char *error_name(int error) {
    switch (error) {
    case EACCES:
        return "EACCES";
    case EDQUOT:
        return "EDQUOT";
    case EEXIST:
        return "EEXIST";
    case ENOENT:
        return "ENOENT";
    case EPERM:
        return "EPERM";
    case EROFS:
        return "EROFS";
    default:
        return "EACCES";
    }
}

static const char *object_noun(const struct gfs_facts *facts) {
    if (facts->share_root)
        return "the share's root folder";
    if (gfs_own_pending(facts))
        return facts->folder ? "your own new folder" : "your own pending upload";
    return facts->folder ? "this folder" : "this file";
}

static void add_reason(struct text *text, const struct gfs_decision *decision, const struct gfs_facts *facts) {
    char missing[GFS_PERMS_TEXT_SIZE];

    gfs_perms_format(decision->missing & GFS_ALL_PERMS, missing);
    switch (decision->reason) {
    case GFS_REASON_ALLOWED:
        /* Said where it is the reason; of an ordinary item there is nothing to say. */
        if (gfs_own_pending(facts))
            add(text, ", on %s", object_noun(facts));
        return;
    case GFS_REASON_HIDDEN:
        add(text, ": it does not show without view");
        return;
    case GFS_REASON_MISSING:
        add(text, ": missing %s on %s", missing, object_noun(facts));
        return;
    case GFS_REASON_NEVER:
        add(text, ": nobody may do that");
        return;
    case GFS_REASON_ARCHIVED:
        add(text, ": the share is archived");
        return;
    case GFS_REASON_QUOTA:
        add(text, ": the share's quota is used up");
        return;
    case GFS_REASON_TAKEN:
        add(text, ": the name is taken");
        return;
    case GFS_REASON_NONE:
        break;
    }
    add(text, ": no decision was made");
}

static void add_verdict(struct text *text, const struct gfs_decision *decision, const struct gfs_facts *facts,
                        enum gfs_op op) {
    const char *name = gfs_op_name(op);

    add(text, "%s: ", name ? name : "unknown operation");
    if (decision->allowed)
        add(text, "allowed");
    else
        add(text, "denied %s", error_name(decision->error));
    add_reason(text, decision, facts);
}

static void add_needed(struct text *text, const struct gfs_decision *decision) {
    char needed[GFS_PERMS_TEXT_SIZE];

    if (decision->needed & GFS_NOBODY)
        return;
    gfs_perms_format(decision->needed, needed);
    add(text, "\nneeds: %s", needed);
}

static void add_held(struct text *text, const struct gfs_facts *facts, const struct gfs_source *sources, size_t count) {
    char perms[GFS_PERMS_TEXT_SIZE];

    gfs_perms_format(facts->effective & GFS_ALL_PERMS, perms);
    add(text, "\nholds: %s", perms);
    if (facts->archived)
        add(text, " (archived: view and download at most)");
    for (size_t i = 0; i < count; i++) {
        gfs_perms_format(sources[i].perms & GFS_ALL_PERMS, perms);
        add(text, "\n  %s: %s", sources[i].via ? sources[i].via : "unnamed", perms);
    }
}

size_t gfs_decision_explain(const struct gfs_decision *decision, const struct gfs_facts *facts, enum gfs_op op,
                            const struct gfs_source *sources, size_t source_count, char *buffer, size_t size) {
    struct text text = {.buffer = buffer, .size = size};

    if (size > 0)
        buffer[0] = '\0';
    add_verdict(&text, decision, facts, op);
    add_needed(&text, decision);
    add_held(&text, facts, sources, source_count);
    return text.length;
}
