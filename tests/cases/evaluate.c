/*
 * The first of the three executors of the cases: the pure decision. For each expectation the
 * facts are built from what the case declares, the decision is made, and what differs is printed.
 *
 *     evaluate FILE...      0: all as expected; 1: deviations; 2: a file that is no case
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guildfs/add.h"
#include "guildfs/rename.h"
#include "tests/cases/facts.h"

static const struct gfs_decision not_there = {
    .reason = GFS_REASON_HIDDEN, .needed = GFS_VIEW, .missing = GFS_VIEW, .error = ENOENT};

/* One expectation being judged. */
struct question {
    const struct case_file *file;
    const struct case_expect *expect;
    const struct case_principal *user;
    const char *problem; /* why it cannot be judged; NULL while it can */
};

static bool find(const struct question *question, const char *path, struct case_object *out) {
    return case_object_find(question->file, question->user, path, strlen(path), out);
}

static bool reaches(const struct question *question, const char *path) {
    return case_reaches(question->file, question->user, path);
}

static bool find_folder(const struct question *question, const char *path, struct case_object *out) {
    return case_object_find(question->file, question->user, path, case_folder_length(path), out);
}

static bool same_share(const char *a, const char *b) {
    size_t length = strcspn(a, "/");

    return length == strcspn(b, "/") && memcmp(a, b, length) == 0;
}

static bool same_folder(const char *a, const char *b) {
    size_t length = case_folder_length(a);

    return length == case_folder_length(b) && memcmp(a, b, length) == 0;
}

static bool is_adding(enum gfs_op op) {
    return op == GFS_OP_CREATE || op == GFS_OP_TMPFILE || op == GFS_OP_SYMLINK || op == GFS_OP_MKDIR ||
           op == GFS_OP_MKNOD;
}

static struct gfs_decision judge_adding(struct question *question) {
    const struct case_expect *expect = question->expect;
    struct case_object folder, taken;

    if (!strchr(expect->path, '/')) {
        question->problem = "a share is not added by a file operation";
        return not_there;
    }
    if (!reaches(question, expect->path) || !find_folder(question, expect->path, &folder))
        return not_there;
    bool is_taken = find(question, expect->path, &taken);
    if (is_taken && gfs_visible(&taken.facts) && expect->op == GFS_OP_CREATE && !expect->exclusive)
        question->problem =
            "the path exists and shows, so this is no create: write open-write, truncate or create-excl";
    return gfs_decide_add(&folder.facts, is_taken ? &taken.facts : NULL, expect->op, expect->exclusive);
}

/* Operations with two paths: rename, exchange, link. */
static struct gfs_decision judge_pair(struct question *question) {
    const struct case_expect *expect = question->expect;
    struct case_object source, folder, target;

    if (!strchr(expect->path, '/') || !strchr(expect->to, '/')) {
        question->problem = "the root of a share is neither renamed nor linked";
        return not_there;
    }
    /* The kernel walks both paths before it asks anybody. */
    if (!reaches(question, expect->path) || !reaches(question, expect->to))
        return not_there;
    bool has_source = find(question, expect->path, &source), has_target = find(question, expect->to, &target);
    if (!find_folder(question, expect->to, &folder) || !has_source || !gfs_visible(&source.facts))
        return not_there;
    if (!same_share(expect->path, expect->to))
        return (struct gfs_decision){.reason = GFS_REASON_NEVER, .error = EXDEV};
    if (expect->op == GFS_OP_LINK)
        return gfs_decide_link(&source.facts, &folder.facts, has_target ? &target.facts : NULL);
    const struct gfs_rename rename = {
        .source = &source.facts,
        .target_folder = &folder.facts,
        .target = has_target ? &target.facts : NULL,
        .same_folder = same_folder(expect->path, expect->to),
        .exchange = expect->op == GFS_OP_EXCHANGE,
    };
    return gfs_decide_rename(&rename).decision;
}

static struct gfs_decision judge(struct question *question) {
    const struct case_expect *expect = question->expect;
    struct case_object object;

    if (is_adding(expect->op))
        return judge_adding(question);
    if (expect->to)
        return judge_pair(question);
    if (!reaches(question, expect->path) || !find(question, expect->path, &object))
        return not_there;
    return gfs_decide(&object.facts, expect->op);
}

static void print_outcome(const char *lead, int error) {
    const char *name = case_errno_name(error);

    if (error == 0)
        printf("%sallow", lead);
    else
        printf("%sdeny %s", lead, name ? name : strerror(error));
}

static void print_explanation(const struct question *question, const struct gfs_decision *decision) {
    struct gfs_source sources[CASE_MAX_SOURCES];
    struct case_object object = {0};
    char text[2048];
    size_t count = 0;

    if (find(question, question->expect->path, &object))
        count = case_sources(question->file, question->user, object.share, sources);
    gfs_decision_explain(decision, &object.facts, question->expect->op, sources, count, text, sizeof(text));
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        printf("    %s\n", line);
}

static void print_deviation(const struct question *question, const struct gfs_decision *decision) {
    const struct case_expect *expect = question->expect;

    printf("%s:%d: %s %s%s %s%s%s:", question->file->path, expect->line, expect->user, gfs_op_name(expect->op),
           expect->exclusive ? "-excl" : "", expect->path, expect->to ? " to " : "", expect->to ? expect->to : "");
    print_outcome(" expected ", expect->error);
    print_outcome(", the decision is ", -gfs_decision_errno(decision));
    putchar('\n');
    print_explanation(question, decision);
}

/* The number of deviations; -1 when an expectation cannot be judged. */
static int evaluate(const struct case_file *file) {
    int deviations = 0;

    for (size_t i = 0; i < file->expect_count; i++) {
        struct question question = {.file = file, .expect = &file->expects[i]};
        question.user = case_find_principal(file, question.expect->user);
        struct gfs_decision decision = judge(&question);

        if (question.problem) {
            fprintf(stderr, "%s:%d: %s\n", file->path, question.expect->line, question.problem);
            return -1;
        }
        if (-gfs_decision_errno(&decision) != question.expect->error) {
            print_deviation(&question, &decision);
            deviations++;
        }
    }
    return deviations;
}

static enum gfs_exit run(const char *path) {
    struct case_file file;
    struct gfs_error err;

    if (case_file_read(path, &file, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return GFS_EXIT_USAGE;
    }
    size_t count = file.expect_count;
    int deviations = evaluate(&file);
    case_file_free(&file);
    if (deviations < 0)
        return GFS_EXIT_USAGE;
    if (count == 0) {
        fprintf(stderr, "%s: a case without an expectation tests nothing\n", path);
        return GFS_EXIT_USAGE;
    }
    printf("%s: %zu expectations, %d deviations\n", path, count, deviations);
    return deviations ? GFS_EXIT_FAILED : GFS_EXIT_DONE;
}

int main(int argc, char **argv) {
    enum gfs_exit worst = GFS_EXIT_DONE;

    if (argc < 2) {
        fprintf(stderr, "usage: evaluate FILE...\n");
        return GFS_EXIT_USAGE;
    }
    for (int i = 1; i < argc; i++) {
        enum gfs_exit result = run(argv[i]);
        worst = result > worst ? result : worst;
    }
    return (int)worst;
}
