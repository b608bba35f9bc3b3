/* A line of a case being parsed. Inside the parser alone: parse.c, parse_share.c, line.c. */
#ifndef GUILDFS_TESTS_CASES_LINE_H
#define GUILDFS_TESTS_CASES_LINE_H

#include "tests/cases/parse.h"

#define MAX_WORDS 32
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One line: its words, taken from the left. */
struct line {
    struct case_file *file;
    struct gfs_error *err;
    int number;
    char *words[MAX_WORDS];
    size_t count, next;
};

/* Fills the error with "FILE:LINE: ..." and returns -EINVAL. */
int case_bad(const struct line *line, const char *format, ...) GFS_PRINTF(2, 3);
int case_bad_error(const struct line *line, const struct gfs_error *why);

/* Splits text, in place, into the line's words. */
int case_split(struct line *line, char *text) GFS_MUST_CHECK;
/* The next word; NULL when there is none. */
char *case_take(struct line *line);
/* Takes the next word when it is this one. */
bool case_take_if(struct line *line, const char *word);
/* Takes a word that must be there; `what` is it for the message. */
int case_take_name(struct line *line, const char *what, const char **out) GFS_MUST_CHECK;

/* A new element, zeroed, at the end of one of the file's arrays; NULL when memory is out. */
void *case_append(void *array_pointer, size_t *count, size_t size);

/* The statements that name a group make it. */
int case_add_group(struct line *line, const char *name) GFS_MUST_CHECK;
int case_parse_share(struct line *line) GFS_MUST_CHECK;

#endif
