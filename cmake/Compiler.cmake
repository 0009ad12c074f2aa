# Warnings, sanitizers and the compiler cache, for every target of this project.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(belljar_compiler INTERFACE)
target_compile_options(belljar_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  -fno-strict-overflow -fstack-protector-strong
  $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
target_link_options(belljar_compiler INTERFACE -Wl,-z,relro,-z,now)
# A hundred thousand relocations of the engine are read at each start; packed, they take a hundredth
# of the space.
include(CheckLinkerFlag)
check_linker_flag(CXX -Wl,-z,pack-relative-relocs BELLJAR_PACKS_RELOCATIONS)
if(BELLJAR_PACKS_RELOCATIONS)
  target_link_options(belljar_compiler INTERFACE -Wl,-z,pack-relative-relocs)
endif()

if(BELLJAR_SANITIZE)
  add_compile_options(-fsanitize=${BELLJAR_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BELLJAR_SANITIZE})
  add_compile_definitions(BELLJAR_SANITIZED)
endif()
if(BELLJAR_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
