/* Compiler attributes used throughout. GCC >= 12 and clang >= 14. */
#ifndef GUILDFS_COMPILER_H
#define GUILDFS_COMPILER_H

#define GFS_CLEANUP(function) __attribute__((cleanup(function)))
#define GFS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define GFS_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#define GFS_MUST_CHECK __attribute__((warn_unused_result))

#endif
