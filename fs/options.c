#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/clock.h"

enum {
    DEFAULT_THREADS = 10,
    DEFAULT_STALE_LIMIT_S = 30,
    DEFAULT_AUDIT_BYTES = 64 << 20,
    DEFAULT_AUDIT_KEEP = 10,
    WATCHED_S = 3600,
    WATCHED_FILE_S = 60,
};

static int out_of_memory(struct gfs_error *err) {
    return gfs_error_set(err, ENOMEM, "out of memory");
}

/* Words of fstab(5) for others, whatever follows. */
static const char *const ignored_prefixes[] = {"x-", "X-", "comment="};

static bool is_ignored(const char *option) {
    for (size_t i = 0; i < sizeof ignored_prefixes / sizeof *ignored_prefixes; i++) {
        if (strncmp(option, ignored_prefixes[i], strlen(ignored_prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* ---- the list behind -o ---- */

static int explain_misuse(const char *name, bool has_value, struct gfs_error *err) {
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        if (strcmp(option->name, name) != 0)
            continue;
        if (has_value)
            return gfs_error_set(err, EINVAL, "option %s takes no value", name);
        return gfs_error_set(err, EINVAL, "option %s needs a value: %s=%s", name, name, option->value);
    }
    if (strcmp(name, "remount") == 0)
        return gfs_error_set(err, EINVAL, "a mount cannot be changed; unmount it, and mount it anew");
    return gfs_error_set(err, EINVAL, "unknown option %s; guildfsd --help lists them", name);
}

static int apply_option(char *text, bool sloppy, struct gfs_daemon_options *options, struct gfs_error *err) {
    if (is_ignored(text))
        return 0;
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        if (strcmp(option->name, text) == 0 && (option->value != NULL) == (value != NULL))
            return option->apply(options, value, err);
    }
    struct gfs_error misuse;
    int rc = explain_misuse(text, value != NULL, &misuse);
    if (sloppy)
        return 0;
    if (err)
        *err = misuse;
    return rc;
}

/* The next option of a list, unescaped in place: "\," stands for a comma, "\\" for a backslash.
 * NULL at the end. */
static char *next_option(char **rest) {
    char *start = *rest, *out = start, *in = start;
    if (!start)
        return NULL;
    for (; *in && *in != ','; in++) {
        if (in[0] == '\\' && (in[1] == ',' || in[1] == '\\'))
            in++;
        *out++ = *in;
    }
    *rest = *in ? in + 1 : NULL;
    *out = '\0';
    return start;
}

static int apply_list(const char *list, bool sloppy, struct gfs_daemon_options *options, struct gfs_error *err) {
    char *copy = strdup(list), *rest = copy, *option;
    int rc = copy ? 0 : out_of_memory(err);
    while (rc == 0 && (option = next_option(&rest))) {
        if (*option)
            rc = apply_option(option, sloppy, options, err);
    }
    free(copy);
    return rc;
}

/* ---- the command line ---- */

struct command_line {
    bool helper, sloppy;
    struct gfs_daemon_options *options;
    struct gfs_error *err;
};

/* mount(8) calls: mount.guildfs STORE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE] */
static int helper_switch(struct command_line *line, int letter) {
    switch (letter) {
    case 's':
        line->sloppy = true;
        return 0;
    case 'f':
        line->options->action = GFS_OPTIONS_CHECK_ONLY;
        return 0;
    case 'n':
    case 'v':
        return 0;
    case 't':
        if (strcmp(optarg, "guildfs") == 0 || strcmp(optarg, "fuse.guildfs") == 0)
            return 0;
        return gfs_error_set(line->err, EINVAL, "-t %s: this mounts the type guildfs alone", optarg);
    default:
        return gfs_error_set(line->err, EINVAL, "-N is not supported; run mount inside the namespace instead");
    }
}

static int daemon_switch(struct command_line *line, int letter) {
    if (letter == 'f')
        line->options->mount.foreground = true;
    else
        line->options->mount.debug = true;
    return 0;
}

static int take_switch(struct command_line *line, char **argv, int letter) {
    switch (letter) {
    case 'h':
        line->options->action = GFS_OPTIONS_HELP;
        return 0;
    case 'V':
        line->options->action = GFS_OPTIONS_VERSION;
        return 0;
    case ':':
        return gfs_error_set(line->err, EINVAL, "%s needs a value", argv[optind - 1]);
    case '?':
        if (optopt)
            return gfs_error_set(line->err, EINVAL, "unknown option -%c; guildfsd --help lists them", optopt);
        return gfs_error_set(line->err, EINVAL, "unknown option %s; guildfsd --help lists them", argv[optind - 1]);
    default:
        return line->helper ? helper_switch(line, letter) : daemon_switch(line, letter);
    }
}

static int take_operands(struct command_line *line, int count, char **operands) {
    if (count < 2)
        return gfs_error_set(line->err, EINVAL, "%s is missing; usage: %s STORE DIR [-o OPTIONS]",
                             count == 0 ? "the store" : "the directory to mount on",
                             line->helper ? "mount.guildfs" : "guildfsd");
    if (count > 2)
        return gfs_error_set(line->err, EINVAL, "one argument too many: %s", operands[2]);
    for (int i = 0; i < 2; i++) {
        if (!*operands[i])
            return gfs_error_set(line->err, EINVAL, "the %s is an empty string", i == 0 ? "store" : "directory");
    }
    line->options->mount.store = strdup(operands[0]);
    line->options->mount.mountpoint = strdup(operands[1]);
    return line->options->mount.store && line->options->mount.mountpoint ? 0 : out_of_memory(line->err);
}

/* The switches have to be known before the lists: -s may stand behind -o. */
static int scan(struct command_line *line, int argc, char **argv, bool lists) {
    static const struct option daemon_long[] = {
        {"foreground", no_argument, NULL, 'f'},
        {"debug", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    static const struct option helper_long[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    int letter, rc = 0;

    optind = 0; /* begin anew, whatever was scanned before */
    opterr = 0;
    while (rc == 0 && (letter = getopt_long(argc, argv, line->helper ? ":sfnvN:o:t:hV" : ":fdo:hV",
                                            line->helper ? helper_long : daemon_long, NULL)) != -1) {
        if (letter == 'o')
            rc = lists ? apply_list(optarg, line->sloppy, line->options, line->err) : 0;
        else
            rc = lists ? 0 : take_switch(line, argv, letter);
    }
    return rc;
}

static int check_together(const struct gfs_daemon_options *options, struct gfs_error *err) {
    if ((options->uid_given || options->gid_given) && !options->mount.user)
        return gfs_error_set(err, EINVAL, "option %s= needs user=: without it every view shows its own user",
                             options->uid_given ? "uid" : "gid");
    return 0;
}

static void set_defaults(struct gfs_daemon_options *options) {
    *options = (struct gfs_daemon_options){
        .mount =
            {
                .uid = GFS_NO_UID,
                .gid = GFS_NO_UID,
                .attr_timeout_ns = GFS_NS_PER_S,
                .entry_timeout_ns = GFS_NS_PER_S,
                .watched_attr_ns = WATCHED_S * GFS_NS_PER_S,
                .watched_file_attr_ns = WATCHED_FILE_S * GFS_NS_PER_S,
                .watched_entry_ns = WATCHED_S * GFS_NS_PER_S,
                .stale_limit_ns = DEFAULT_STALE_LIMIT_S * GFS_NS_PER_S,
                .audit_bytes = DEFAULT_AUDIT_BYTES,
                .audit_keep = DEFAULT_AUDIT_KEEP,
                .max_threads = DEFAULT_THREADS,
            },
    };
}

bool gfs_options_is_helper(const char *program) {
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    return strcmp(name, "mount.guildfs") == 0 || strcmp(name, "mount.fuse.guildfs") == 0;
}

int gfs_options_parse(int argc, char **argv, struct gfs_daemon_options *out, struct gfs_error *err) {
    struct command_line line = {
        .helper = argc > 0 && gfs_options_is_helper(argv[0]), .sloppy = false, .options = out, .err = err};

    set_defaults(out);
    int rc = scan(&line, argc, argv, false);
    if (rc < 0 || out->action == GFS_OPTIONS_HELP || out->action == GFS_OPTIONS_VERSION)
        return rc;
    rc = scan(&line, argc, argv, true);
    if (rc == 0)
        rc = take_operands(&line, argc - optind, argv + optind);
    return rc == 0 ? check_together(out, err) : rc;
}

void gfs_options_free(struct gfs_daemon_options *options) {
    free(options->mount.store);
    free(options->mount.mountpoint);
    free(options->mount.user);
    free(options->log_file);
    *options = (struct gfs_daemon_options){.action = GFS_OPTIONS_SERVE};
}

/* ---- help ---- */

static const char daemon_usage[] = "Usage: guildfsd [-f] [-d] STORE DIR [-o OPTION[,OPTION]...]\n"
                                   "Serve the views of a Guildfs store on a directory.\n"
                                   "\n"
                                   "  -f, --foreground  stay in the foreground, log to standard error\n"
                                   "  -d, --debug       log every request (slow)\n"
                                   "  -o OPTIONS        mount options, separated by commas\n"
                                   "  -h, --help        print this text\n"
                                   "  -V, --version     print the versions of guildfsd and libfuse\n";

static const char helper_usage[] = "Usage: mount.guildfs STORE DIR [-sfnv] [-o OPTION[,OPTION]...]\n"
                                   "Mount the views of a Guildfs store; called by mount(8).\n"
                                   "\n"
                                   "  -s          ignore unknown options\n"
                                   "  -f          only check the command line\n"
                                   "  -n, -v      accepted, without effect\n"
                                   "  -o OPTIONS  mount options, separated by commas\n";

void gfs_options_help(FILE *stream, bool helper) {
    fputs(helper ? helper_usage : daemon_usage, stream);
    fputs("\nMount options:\n", stream);
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        char shown[64];
        if (!option->help)
            continue;
        snprintf(shown, sizeof shown, "%s%s%s", option->name, option->value ? "=" : "",
                 option->value ? option->value : "");
        fprintf(stream, "  %-22s %s", shown, option->help);
        if (option->default_value)
            fprintf(stream, " (default: %s)", option->default_value);
        fputc('\n', stream);
    }
    fputs("\nAccepted as well, for the sake of fstab(5):\n ", stream);
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        if (!option->help)
            fprintf(stream, " %s", option->name);
    }
    fputs(" x-* comment=*\nA mount is always nosuid and nodev.\n", stream);
}
