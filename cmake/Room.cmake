# A room is a folder of src/: one object library, which all end up in the one library `thalweg`.

add_library(thalweg_flags INTERFACE)
target_compile_options(thalweg_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  -ffp-contract=off   # the same expression rounds the same way wherever it stands
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>   # g++ 12 raises it falsely on std::variant
  -fno-math-errno
  -fno-semantic-interposition)   # calls inside the shared library may be inlined
if(THALWEG_SANITIZE)
  add_compile_options(-fsanitize=${THALWEG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${THALWEG_SANITIZE})
endif()

if(THALWEG_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)   # coverage, which the fuzzer steers by
  add_compile_definitions(HWY_COMPILE_ONLY_STATIC)   # the vector loops are tested elsewhere: one instruction set will do
endif()

set(THALWEG_ROOM_OBJECTS "" CACHE INTERNAL "")
# What runs once a command, once a trace or once an epoch is compiled for size: no loop over numbers is in these rooms.
set(THALWEG_COLD_ROOMS options schedule plot ops optim loss nn problem estimate store insight system report run cli)

function(thalweg_room name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_library(thalweg_${name} OBJECT ${sources})
  target_include_directories(thalweg_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                                                    ${PROJECT_BINARY_DIR}/tables)
  target_link_libraries(thalweg_${name} PRIVATE thalweg_flags fmt::fmt ${ARGN})
  if(name IN_LIST THALWEG_COLD_ROOMS)
    target_compile_options(thalweg_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
  endif()
  set(THALWEG_ROOM_OBJECTS ${THALWEG_ROOM_OBJECTS} $<TARGET_OBJECTS:thalweg_${name}> CACHE INTERNAL "")
endfunction()

# A table whose rows lie in the files of a folder: ROOM/FOLDER/x.cpp defines `std::vector<ROW> x_FOLDER()`, its rows, and
# HEADER declares ROW. The header ROOM/FOLDER_parts.hpp, written into the build folder, lists these functions in the order
# of the files' names. So a new file is in the table without a line elsewhere, and one without the function does not link.
function(thalweg_table room folder row header namespace)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  foreach(file IN LISTS files)
    cmake_path(GET file STEM stem)
    string(APPEND declarations "std::vector<${row}> ${stem}_${folder}();\n")
    string(APPEND names "    ${stem}_${folder},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/tables/${room}/${folder}_parts.hpp @ONLY CONTENT [[
// Written by cmake/Room.cmake: the files of src/@room@/@folder@.
#pragma once

#include "@header@"

namespace @namespace@ {

@declarations@
inline constexpr std::vector<@row@> (*@folder@_parts[])() = {
@names@};

}  // namespace @namespace@
]])
endfunction()
