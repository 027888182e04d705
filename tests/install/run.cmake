# Installs the build, moves the prefix, and builds and runs `project` against it, all outside the tree.
# Takes BUILD, PROJECT, COMMAND, CXX, CXX_FLAGS, LAUNCHER, GENERATOR.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

execute_process(COMMAND mktemp -d OUTPUT_VARIABLE place OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
cmake_language(DEFER CALL file REMOVE_RECURSE ${place})

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${place}/first)
file(RENAME ${place}/first ${place}/moved)
file(COPY ${PROJECT}/ DESTINATION ${place}/source)

run(${CMAKE_COMMAND} -S ${place}/source -B ${place}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_PREFIX_PATH=${place}/moved -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
    -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
run(${CMAKE_COMMAND} --build ${place}/build)
run(${place}/build/program)
run(${place}/moved/bin/thalweg version)
