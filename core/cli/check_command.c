/* guildfs check: one question, or a file of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/commands.h"
#include "core/cli/output.h"
#include "core/cli/policy.h"
#include "core/cli/question.h"
#include "core/cli/words.h"
#include "guildfs/clock.h"

#define EXPLANATION_SIZE 16384

static const char *reason_name(enum gfs_reason reason) {
    switch (reason) {
    case GFS_REASON_NONE:
        return "none";
    case GFS_REASON_ALLOWED:
        return "allowed";
    case GFS_REASON_HIDDEN:
        return "hidden";
    case GFS_REASON_MISSING:
        return "missing";
    case GFS_REASON_NEVER:
        return "never";
    case GFS_REASON_ARCHIVED:
        return "archived";
    case GFS_REASON_QUOTA:
        return "quota";
    case GFS_REASON_TAKEN:
        return "taken";
    }
    return "none";
}

static const char *errno_name(const struct gfs_decision *decision) {
    const char *name = decision->allowed ? NULL : strerrorname_np(-gfs_decision_errno(decision));
    return name ? name : "EACCES";
}

static void reason_text(const struct cli_answer *answer, char *text, size_t size) {
    char perms[GFS_PERMS_TEXT_SIZE];
    switch (answer->decision.reason) {
    case GFS_REASON_HIDDEN:
        snprintf(text, size, "it is not there, or %s does not see it", answer->user->name);
        break;
    case GFS_REASON_MISSING:
        gfs_perms_format(answer->decision.missing & GFS_ALL_PERMS, perms);
        snprintf(text, size, "%s lacks %s", answer->user->name, perms);
        break;
    case GFS_REASON_NEVER:
        snprintf(text, size, "%s",
                 answer->decision.error == EXDEV ? "nothing moves between shares; copy it" : "nobody may do that");
        break;
    case GFS_REASON_ARCHIVED:
        snprintf(text, size, "the share is archived");
        break;
    case GFS_REASON_QUOTA:
        snprintf(text, size, "the share is over its quota");
        break;
    case GFS_REASON_TAKEN:
        snprintf(text, size, "the name is taken");
        break;
    case GFS_REASON_NONE:
    case GFS_REASON_ALLOWED:
        snprintf(text, size, "no decision was made");
        break;
    }
}

/* The explanation, '\n' between its lines. The caller frees it; NULL when memory is out. */
static char *explain(const struct gfs_snapshot *snapshot, const struct cli_answer *answer) {
    struct cli_sources sources;
    cli_sources_get(snapshot, answer->user->id, answer->share->id, &sources);
    char *text = malloc(EXPLANATION_SIZE);
    if (text)
        gfs_decision_explain(&answer->decision, &answer->facts, answer->op, sources.list, sources.count, text,
                             EXPLANATION_SIZE);
    return text;
}

static json_t *answer_json(const struct gfs_snapshot *snapshot, const struct cli_question *question,
                           const struct cli_answer *answer, bool explained) {
    const struct gfs_decision *decision = &answer->decision;
    char reference[CLI_REFERENCE_SIZE];
    cli_reference(snapshot, answer->share, reference);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:b, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "user", cli_json_text(question->user),
                  "op", cli_json_text(question->op), "path", cli_json_text(question->path), "allowed",
                  (int)decision->allowed, "errno", decision->allowed ? json_null() : json_string(errno_name(decision)),
                  "reason", reason_name(decision->reason), "judged", gfs_op_name(answer->op), "needed",
                  cli_json_perms(decision->needed), "missing", cli_json_perms(decision->missing), "effective",
                  cli_json_perms(answer->facts.effective), "share", cli_json_text(reference));
    if (object && question->to)
        json_object_set_new(object, "to", cli_json_text(question->to));
    if (object && explained) {
        char *text = explain(snapshot, answer);
        json_object_set_new(object, "explanation", cli_json_text(text));
        json_object_set_new(object, "sources", cli_json_sources(snapshot, answer->user->id, answer->share->id));
        free(text);
    }
    return object;
}

/* ---- one question ---- */

static void print_answer(const struct gfs_snapshot *snapshot, const struct cli_answer *answer, bool explained) {
    char text[512];
    if (answer->decision.allowed) {
        puts("allowed");
    } else {
        reason_text(answer, text, sizeof(text));
        printf("denied %s %s\n", errno_name(&answer->decision), text);
    }
    char *explanation = explained ? explain(snapshot, answer) : NULL;
    if (explanation)
        puts(explanation);
    free(explanation);
}

static struct cli_question question_of(const struct cli_call *call) {
    return (struct cli_question){
        .user = call->arguments[0],
        .op = call->arguments[1],
        .path = call->arguments[2],
        .to = cli_option(call, "to"),
    };
}

static enum gfs_exit check_one(struct cli_call *call, const struct gfs_snapshot *snapshot) {
    const struct cli_question question = question_of(call);
    bool explained = cli_option(call, "explain") != NULL;
    struct gfs_error err;
    struct cli_answer answer;
    if (cli_ask(snapshot, &question, &answer, &err) < 0)
        return cli_fail(call, &err);
    enum gfs_exit printed;
    if (call->json) {
        static const struct cli_column none[] = {{0}};
        printed = cli_print_object(call, answer_json(snapshot, &question, &answer, explained), none);
    } else {
        print_answer(snapshot, &answer, explained);
        printed = cli_flush(call);
    }
    if (printed != GFS_EXIT_DONE)
        return printed;
    return answer.decision.allowed ? GFS_EXIT_DONE : GFS_EXIT_DENIED;
}

/* ---- a file of questions ---- */

static json_t *error_json(unsigned long line, const struct gfs_error *err) {
    const char *name = strerrorname_np(err->code);
    return json_pack("{s:i, s:{s:s, s:o}}", "line", (int)line, "error", "code", name ? name : "EIO", "message",
                     cli_json_text(err->message));
}

/* USER OP PATH [to PATH]. */
static int parse_question(char *line, struct cli_question *question, struct gfs_error *err) {
    char *words[5];
    size_t count = 0;
    int rc = cli_words_split(line, words, 5, &count, err);
    if (rc < 0)
        return rc;
    if (count != 3 && !(count == 5 && strcmp(words[3], "to") == 0))
        return gfs_error_set(err, EINVAL, "not USER OP PATH, nor USER OP PATH to PATH");
    *question =
        (struct cli_question){.user = words[0], .op = words[1], .path = words[2], .to = count == 5 ? words[4] : NULL};
    return 0;
}

static json_t *answer_line(const struct gfs_snapshot *snapshot, char *line, unsigned long number, bool explained,
                           bool *answered) {
    struct gfs_error err;
    struct cli_question question;
    struct cli_answer answer;
    if (parse_question(line, &question, &err) < 0 || cli_ask(snapshot, &question, &answer, &err) < 0) {
        *answered = false;
        return error_json(number, &err);
    }
    json_t *object = answer_json(snapshot, &question, &answer, explained);
    if (object)
        json_object_set_new(object, "line", json_integer((json_int_t)number));
    return object;
}

static bool is_empty(const char *line) {
    line += strspn(line, " \t\r\n");
    return *line == '\0' || *line == '#';
}

static enum gfs_exit check_batch(struct cli_call *call, const struct gfs_snapshot *snapshot, FILE *file) {
    char *line = NULL;
    size_t size = 0;
    unsigned long number = 0;
    bool all_answered = true;
    bool explained = cli_option(call, "explain") != NULL;
    while (getline(&line, &size, file) > 0) {
        number++;
        if (is_empty(line))
            continue;
        json_t *object = answer_line(snapshot, line, number, explained, &all_answered);
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
    }
    free(line);
    enum gfs_exit printed = cli_flush(call);
    return printed == GFS_EXIT_DONE && !all_answered ? GFS_EXIT_FAILED : printed;
}

enum gfs_exit cli_check(struct cli_call *call) {
    const char *batch = cli_option(call, "batch");
    if (batch ? call->argument_count > 0 || cli_option(call, "to") : call->argument_count != 3)
        return cli_usage_error(
            call, "usage: guildfs check USER OP PATH [--to PATH] [--explain], or guildfs check --batch FILE");
    struct gfs_error err;
    if (!batch) {
        const struct cli_question question = question_of(call);
        if (cli_question_check(&question, &err) < 0)
            return cli_fail(call, &err);
    }
    FILE *file = !batch || strcmp(batch, "-") == 0 ? stdin : fopen(batch, "re");
    if (!file) {
        gfs_error_set(&err, errno, "cannot read %s: %s", batch, strerror(errno));
        return cli_fail(call, &err);
    }
    struct gfs_snapshot *snapshot = NULL;
    enum gfs_exit result;
    if (cli_load_policy(call, &snapshot, &err) < 0)
        result = cli_fail(call, &err);
    else
        result = batch ? check_batch(call, snapshot, file) : check_one(call, snapshot);
    gfs_snapshot_free(snapshot);
    if (file != stdin)
        fclose(file);
    return result;
}
