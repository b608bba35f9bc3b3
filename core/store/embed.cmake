# Writes a C file with the concatenated text of SQL files as a string, without tools other than CMake.
#   cmake -DOUTPUT=schema.c -DNAME=gfs_schema_sql -DINPUTS=a.sql;b.sql -P embed.cmake
set(hex "")
foreach(input IN LISTS INPUTS)
  file(READ "${input}" part HEX)
  string(APPEND hex "${part}")
endforeach()
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
if(hex MATCHES "0x[89a-f]")
  message(FATAL_ERROR "the SQL files must be ASCII: ${INPUTS}")
endif()
file(WRITE "${OUTPUT}" "#include \"core/store/schema.h\"\n\nconst char ${NAME}[] = {\n${hex}0};\n")
