/*
 * What is written and read at once by several processes, as registers: places that hold one value.
 * A name is one (its value: which file it stands for), so are eight bytes of content, a size, a
 * modification time, an attribute. Each write has a value of its own where that is possible.
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "coherence.h"

enum {
    NAME_FOLDERS = 3,
    FOLDER_NAMES = 6,
    CELLS = 6,     /* in one file, by write(2): two share a page */
    MAP_CELLS = 4, /* a page each, written through a mapping by one process only */
    YOUNG = 3,
    R_NAMES = 0,
    R_CELLS = R_NAMES + NAME_FOLDERS * FOLDER_NAMES,
    R_MAP_CELLS = R_CELLS + CELLS,
    R_SIZE = R_MAP_CELLS + MAP_CELLS,
    R_MTIME,
    R_MODE,
    R_XATTR,
    R_LENGTH, /* of a file to which is only appended: grows */
    R_YOUNG,  /* the sizes of files that are made anew all the time, by one process each */
    REGISTERS = R_YOUNG + YOUNG,
    EVENTS = 60000, /* of one process in one round */
};

/* Values of names besides unique ones. */
enum { V_ABSENT = 1, V_EMPTY, V_FOLDER, V_FIRST_UNIQUE = 16 };

enum event_kind {
    E_WRITE, /* from some time between begin and end on, the register has the value */
    E_READ,  /* it had the value some time between begin and end */
    E_THERE, /* a name: it stood for something */
};

struct event {
    uint64_t begin, end, value;
    uint8_t reg, kind, process, act;
};

/*
 * Judges the events of one round, of all processes. initial: the values before, which nobody wrote in
 * this round. The number of reads that were stale; each is printed with what happened to the
 * register around it.
 */
int judge(struct event *events, size_t count, const uint64_t initial[static REGISTERS], uint64_t began);
void register_text(char *text, size_t size, int reg);

#endif
