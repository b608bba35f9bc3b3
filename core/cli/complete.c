/*
 * Completion scripts, from the command table. Both shells get the same tables as functions of
 * POSIX shell; only the driver differs.
 */
#include <stdio.h>
#include <string.h>

#include "core/cli/commands.h"
#include "core/cli/output.h"
#include "guildfs/model.h"
#include "guildfs/op.h"

/* What to offer for a word of a usage line, beyond the enumerations that the code knows. */
static const struct {
    const char *word, *offer;
} fixed_offers[] = {
    {"ROLE", "member admin owner"},
    {"STATUS", "active suspended"},
    {"SHELL", "bash zsh"},
    {"SUBJECT", "user: group: team: organization: everyone"},
    {"KEY=VALUE", "overwrite=delete overwrite=upload grace= quota= state=active state=archived data=revocable "
                  "data=fast audit=none audit=changes audit=all on_revoke=poison on_revoke=kill title= owner="},
    {"PERMS", "view download upload rename delete make-folder viewer reader contributor editor dropbox"},
};

/* What to look up in the store. */
static const struct {
    const char *word, *noun;
} named_offers[] = {{"USER", "user"}, {"GROUP", "group"}, {"SHARE", "share"}};

static const char *const path_words[] = {"DIR", "STORE", "DIRECTORY", "FILE"};

static void print_offers(void) {
    printf("_guildfs_offer() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < sizeof(fixed_offers) / sizeof(fixed_offers[0]); i++)
        printf("    %s) echo '%s' ;;\n", fixed_offers[i].word, fixed_offers[i].offer);
    printf("    KIND) echo '");
    for (int kind = 0; kind < GFS_KIND_COUNT; kind++)
        printf("%s%s", kind ? " " : "", gfs_kind_name((enum gfs_kind)kind));
    printf("' ;;\n    OP) echo '");
    for (int op = 0; op < GFS_OP_COUNT; op++)
        printf("%s%s", op ? " " : "", gfs_op_name((enum gfs_op)op));
    printf("' ;;\n");
    for (size_t i = 0; i < sizeof(named_offers) / sizeof(named_offers[0]); i++) {
        printf("    %s) guildfs ${2:+--store \"$2\"} %s list 2>/dev/null | sed -e 1d -e 's/  .*//' ;;\n",
               named_offers[i].word, named_offers[i].noun);
    }
    printf("    esac\n}\n");
}

/* The words of a command, for a label of a case. */
static void print_label(const struct cli_command *command) {
    printf("    '%s%s%s'", command->noun, command->verb ? " " : "", command->verb ? command->verb : "");
}

static void print_option_names(const struct cli_option *option) {
    for (; option && option->name; option++)
        printf(" %s%s", option->name[1] ? "--" : "-", option->name);
}

static void print_options(void) {
    printf("_guildfs_options() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i].options)
            continue;
        print_label(&cli_commands[i]);
        printf(") echo '");
        print_option_names(cli_commands[i].options);
        printf("' ;;\n");
    }
    printf("    esac\n    echo '");
    print_option_names(cli_global_options);
    printf("'\n}\n");
}

static void print_option_values(const struct cli_option *option, const char *label) {
    for (; option && option->name; option++) {
        if (option->value)
            printf("    '%s %s%s') echo '%s' ;;\n", label, option->name[1] ? "--" : "-", option->name, option->value);
    }
}

/* The word that stands for the value of an option; nothing when it takes none. */
static void print_values(void) {
    printf("_guildfs_value() {\n    case \"$2\" in\n");
    for (const struct cli_option *option = cli_global_options; option->name; option++) {
        if (option->value)
            printf("    --%s) echo '%s'; return ;;\n", option->name, option->value);
    }
    printf("    esac\n    case \"$1 $2\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        char label[64];
        snprintf(label, sizeof(label), "%s%s%s", command->noun, command->verb ? " " : "",
                 command->verb ? command->verb : "");
        print_option_values(command->options, label);
    }
    printf("    esac\n}\n");
}

static void print_arguments(void) {
    printf("_guildfs_arguments() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!*cli_commands[i].arguments)
            continue;
        print_label(&cli_commands[i]);
        printf(") echo '");
        for (const char *c = cli_commands[i].arguments; *c; c++) {
            if (!strchr("[].", *c))
                putchar(*c);
        }
        printf("' ;;\n");
    }
    printf("    esac\n}\n");
}

static void print_verbs(void) {
    printf("_guildfs_verbs() {\n    case \"$1\" in\n");
    const char *noun = "";
    for (size_t i = 0; i < cli_command_count; i++) {
        if (!cli_commands[i].verb)
            continue;
        if (strcmp(noun, cli_commands[i].noun) != 0)
            printf("%s    %s) echo '%s", *noun ? "' ;;\n" : "", cli_commands[i].noun, cli_commands[i].verb);
        else
            printf(" %s", cli_commands[i].verb);
        noun = cli_commands[i].noun;
    }
    printf("' ;;\n    esac\n}\n_guildfs_nouns='");
    noun = "";
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(noun, cli_commands[i].noun) != 0)
            printf("%s%s", i ? " " : "", cli_commands[i].noun);
        noun = cli_commands[i].noun;
    }
    printf("'\n");
}

/* Finds out what the word at the cursor stands for: _guildfs_want is a word of a usage line,
 * "options", or "words" with the choice in _guildfs_choice. Gets the words before the cursor. */
static const char walk[] =
    "_guildfs_walk() {\n"
    "    _guildfs_store='' _guildfs_command='' _guildfs_want='' _guildfs_choice=''\n"
    "    local position=0 word value previous='' verbs\n"
    "    for word in \"$@\"; do\n"
    "        if [ -n \"$previous\" ]; then\n"
    "            [ \"$previous\" = --store ] && _guildfs_store=$word\n"
    "            previous=''\n"
    "            continue\n"
    "        fi\n"
    "        case \"$word\" in\n"
    "        -*)\n"
    "            value=$(_guildfs_value \"$_guildfs_command\" \"$word\")\n"
    "            [ -n \"$value\" ] && previous=$word\n"
    "            continue ;;\n"
    "        esac\n"
    "        verbs=$(_guildfs_verbs \"$_guildfs_command\")\n"
    "        if [ -z \"$_guildfs_command\" ]; then _guildfs_command=$word\n"
    "        elif [ -n \"$verbs\" ]; then _guildfs_command=\"$_guildfs_command $word\"\n"
    "        else position=$((position + 1))\n"
    "        fi\n"
    "    done\n"
    "    verbs=$(_guildfs_verbs \"$_guildfs_command\")\n"
    "    if [ -n \"$previous\" ]; then _guildfs_want=$(_guildfs_value \"$_guildfs_command\" \"$previous\")\n"
    "    elif [ -z \"$_guildfs_command\" ]; then _guildfs_want=words _guildfs_choice=$_guildfs_nouns\n"
    "    elif [ -n \"$verbs\" ]; then _guildfs_want=words _guildfs_choice=$verbs\n"
    "    else\n"
    "        for word in $(_guildfs_arguments \"$_guildfs_command\" | tr ' ' '\\n'); do\n"
    "            [ \"$position\" -ge 0 ] && _guildfs_want=$word\n"
    "            position=$((position - 1))\n"
    "        done\n"
    "        [ \"$position\" -lt 0 ] || [ \"$_guildfs_want\" = KEY=VALUE ] || _guildfs_want=''\n"
    "    fi\n"
    "}\n";

/* Bash breaks words at ':' and '=' too. So the words are taken from the line, and of an answer only
 * what follows the last break is given back. */
static const char bash_driver[] = "_guildfs() {\n"
                                  "    local IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} words cur offer=''\n"
                                  "    read -ra words <<<\"$line\"\n"
                                  "    [[ $line == *[[:space:]] ]] && words+=('')\n"
                                  "    cur=${words[-1]}\n"
                                  "    _guildfs_walk \"${words[@]:1:${#words[@]}-2}\"\n"
                                  "    case \"$cur\" in\n"
                                  "    -*) offer=$(_guildfs_options \"$_guildfs_command\") ;;\n"
                                  "    *)\n"
                                  "        case \"$_guildfs_want\" in\n"
                                  "        words) offer=$_guildfs_choice ;;\n"
                                  "        %s)\n"
                                  "            compopt -o filenames 2>/dev/null\n"
                                  "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                                  "            return ;;\n"
                                  "        *) offer=$(_guildfs_offer \"$_guildfs_want\" \"$_guildfs_store\") ;;\n"
                                  "        esac ;;\n"
                                  "    esac\n"
                                  "    mapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$cur\")\n"
                                  "    case \"$cur\" in\n"
                                  "    *[:=]*) COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*[:=]}\"}\"}\") ;;\n"
                                  "    esac\n"
                                  "}\n"
                                  "complete -F _guildfs guildfs\n";

static const char zsh_driver[] =
    "_guildfs() {\n"
    "    emulate -L zsh\n"
    "    setopt sh_word_split\n"
    "    local cur=${words[CURRENT]}\n"
    "    _guildfs_walk \"${(@)words[2,CURRENT-1]}\"\n"
    "    case \"$cur\" in\n"
    "    -*) compadd -- $(_guildfs_options \"$_guildfs_command\"); return ;;\n"
    "    esac\n"
    "    case \"$_guildfs_want\" in\n"
    "    words) compadd -- $_guildfs_choice ;;\n"
    "    %s) _files ;;\n"
    "    *) compadd -- $(_guildfs_offer \"$_guildfs_want\" \"$_guildfs_store\") ;;\n"
    "    esac\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _guildfs ]; then _guildfs \"$@\"; else compdef _guildfs guildfs; fi\n";

/* The driver with "%s" replaced by the words that stand for a path: "DIR|STORE|FILE". */
static void print_driver(const char *driver) {
    const char *gap = strstr(driver, "%s");
    fwrite(driver, 1, (size_t)(gap - driver), stdout);
    for (size_t i = 0; i < sizeof(path_words) / sizeof(path_words[0]); i++)
        printf("%s%s", i ? "|" : "", path_words[i]);
    fputs(gap + 2, stdout);
}

enum gfs_exit cli_completion(struct cli_call *call) {
    bool bash = strcmp(call->arguments[0], "bash") == 0;
    if (!bash && strcmp(call->arguments[0], "zsh") != 0)
        return cli_usage_error(call, "there is no completion for \"%s\"; bash and zsh have one", call->arguments[0]);
    printf("%s# Completion of guildfs, made by \"guildfs completion %s\".\n", bash ? "" : "#compdef guildfs\n",
           call->arguments[0]);
    print_offers();
    print_options();
    print_values();
    print_arguments();
    print_verbs();
    fputs(walk, stdout);
    print_driver(bash ? bash_driver : zsh_driver);
    return cli_flush(call);
}
