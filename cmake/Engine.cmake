# Builds the Rust crate under engine/ and makes a target of it.
#
# All build folders share one cargo target folder: the crate is the same for each, and a cold
# build takes minutes.

set(BELLJAR_RUST_MINIMUM 1.95)

function(belljar_rust_version cargo variable)
  execute_process(COMMAND ${cargo} --version OUTPUT_VARIABLE output ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" version "${output}")
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()

if(NOT BELLJAR_CARGO)
  find_program(path_cargo cargo NO_CACHE)
  foreach(candidate IN ITEMS ${path_cargo} /usr/bin/cargo)
    if(EXISTS ${candidate})
      belljar_rust_version(${candidate} version)
      if(version VERSION_GREATER_EQUAL BELLJAR_RUST_MINIMUM)
        set(BELLJAR_CARGO ${candidate} CACHE FILEPATH "The cargo that builds the engine")
        break()
      endif()
    endif()
  endforeach()
endif()
if(NOT BELLJAR_CARGO)
  message(FATAL_ERROR "No cargo of at least ${BELLJAR_RUST_MINIMUM} was found. "
                      "On Debian 12: apt-get install rustc-web cargo-web")
endif()

set(BELLJAR_CARGO_TARGET_DIR ${PROJECT_SOURCE_DIR}/build/cargo CACHE PATH
    "Where cargo builds; shared by all presets")
set(engine_library ${BELLJAR_CARGO_TARGET_DIR}/release/libbelljar_engine.a)
set(engine_headers ${BELLJAR_CARGO_TARGET_DIR}/cxxbridge)
set(engine_environment CARGO_TARGET_DIR=${BELLJAR_CARGO_TARGET_DIR})
cmake_path(GET BELLJAR_CARGO PARENT_PATH cargo_folder)
if(EXISTS ${cargo_folder}/rustc)
  list(APPEND engine_environment RUSTC=${cargo_folder}/rustc)
endif()

file(GLOB_RECURSE engine_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/engine/src/*.rs ${PROJECT_SOURCE_DIR}/engine/include/*.h)
add_custom_command(
  OUTPUT ${engine_library}
  BYPRODUCTS ${engine_headers}/belljar-engine/src/bridge.rs.h
  COMMAND ${CMAKE_COMMAND} -E env ${engine_environment}
          ${BELLJAR_CARGO} build --release --locked
          --manifest-path ${PROJECT_SOURCE_DIR}/engine/Cargo.toml
  # Cargo leaves an unchanged library as it is; without this it would be out of date for ever.
  COMMAND ${CMAKE_COMMAND} -E touch ${engine_library}
  DEPENDS ${engine_sources} ${PROJECT_SOURCE_DIR}/engine/Cargo.toml
          ${PROJECT_SOURCE_DIR}/engine/Cargo.lock ${PROJECT_SOURCE_DIR}/engine/build.rs
  COMMENT "Building the engine (the first time takes 6 to 8 minutes)"
  USES_TERMINAL VERBATIM)
add_custom_target(belljar_engine_build DEPENDS ${engine_library})

# One shared object for all that run guests: linked once, and 30 MB once on disk and in memory. The
# crate's archive holds the C++ side of the bridge too, and asks for nothing of ours.
file(MAKE_DIRECTORY ${engine_headers})
add_library(belljar_engine_crate SHARED ${PROJECT_SOURCE_DIR}/engine/shared_object.cc)
add_dependencies(belljar_engine_crate belljar_engine_build)
set_target_properties(belljar_engine_crate PROPERTIES
  OUTPUT_NAME belljar-engine
  LINK_DEPENDS "${engine_library};${PROJECT_SOURCE_DIR}/engine/exports.map"
  INSTALL_RPATH "")
target_link_options(belljar_engine_crate PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/engine/exports.map -Wl,--gc-sections)
target_link_libraries(belljar_engine_crate PRIVATE
  belljar_compiler -Wl,--whole-archive ${engine_library} -Wl,--no-whole-archive
  Threads::Threads ${CMAKE_DL_LIBS} m)
if(BELLJAR_SANITIZE)
  # There is nothing in it to instrument, and the compiler helper loads it without sanitizers.
  target_compile_options(belljar_engine_crate PRIVATE -fno-sanitize=all)
  target_link_options(belljar_engine_crate PRIVATE -fno-sanitize=all)
endif()
# Generated headers are not ours to warn about.
target_include_directories(belljar_engine_crate SYSTEM INTERFACE
  ${engine_headers} ${PROJECT_SOURCE_DIR}/engine/include)
