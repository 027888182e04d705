# A room is a folder of src/. It is built as an object library; all of them together are the library `thalweg`.

add_library(thalweg_flags INTERFACE)
target_compile_options(thalweg_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow
  -ffp-contract=off   # an expression has the same rounding wherever it is compiled
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>   # false warnings of g++ 12 for std::variant
  -fno-math-errno
  -fno-semantic-interposition)   # calls inside the shared library may be inlined
if(THALWEG_SANITIZE)
  add_compile_options(-fsanitize=${THALWEG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${THALWEG_SANITIZE})
endif()

if(THALWEG_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)   # coverage counters, which guide the fuzzer
  add_compile_definitions(HWY_COMPILE_ONLY_STATIC)   # one instruction set is enough: other tests cover the vector loops
endif()

set(THALWEG_ROOM_OBJECTS "" CACHE INTERNAL "")
# Rooms whose code runs once per command, trace or epoch. They have no loops over tensors, so they are compiled for size.
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
    # with a section for each function the linker drops the tables of exceptions of templates that several files instantiate
    target_compile_options(thalweg_${name} PRIVATE "$<$<CONFIG:Release>:-Os;-ffunction-sections>")
  endif()
  if(THALWEG_FUZZ AND name MATCHES "^(tiles|kernels)$")
    # the loops that Highway emulates for the one instruction set convert NaN to integers, as a processor may and C++ may not
    target_compile_options(thalweg_${name} PRIVATE -fno-sanitize=float-cast-overflow)
  endif()
  set(THALWEG_ROOM_OBJECTS ${THALWEG_ROOM_OBJECTS} $<TARGET_OBJECTS:thalweg_${name}> CACHE INTERNAL "")
endfunction()

# Makes a table from the files of a folder. ROOM/FOLDER/x.cpp defines `std::vector<ROW> x_FOLDER()`, which returns its rows;
# HEADER declares ROW. The header ROOM/FOLDER_parts.hpp, written into the build folder, lists these functions in the order
# of the files' names. So a new file is in the table without a change elsewhere, and a file without the function does not link.
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
