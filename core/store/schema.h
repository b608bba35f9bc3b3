/* The schema as one string of SQL, embedded by the build from schema.sql and triggers.sql. */
#ifndef GUILDFS_CORE_STORE_SCHEMA_H
#define GUILDFS_CORE_STORE_SCHEMA_H

extern const char gfs_schema_sql[];

#endif
