# What `cmake --install` puts under a prefix, which can be moved as a whole afterwards:
#
#   bin/belljar                          the program
#   lib/libbelljar.so                    the library, for find_package(belljar CONFIG)
#   lib/belljar/libbelljar-engine.so     the engine, shared by all three programs and the library
#   libexec/belljar/belljar-compiler     compiles components, in a process of its own
#   include/belljar/                     the library's headers
#   share/                               manual page, completions, documents

# The library as others link it: it shows what include/belljar declares, and nothing else.
add_library(belljar_shared SHARED)
target_link_libraries(belljar_shared PRIVATE belljar_compiler belljar_objects)
target_link_options(belljar_shared PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/src/exports.map)
target_include_directories(belljar_shared INTERFACE $<INSTALL_INTERFACE:include>)
target_compile_features(belljar_shared INTERFACE cxx_std_23)
set_target_properties(belljar_shared PROPERTIES
  OUTPUT_NAME belljar
  EXPORT_NAME belljar
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}
  LINKER_LANGUAGE CXX
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/exports.map
  INSTALL_RPATH "$ORIGIN/belljar")
set_target_properties(belljar PROPERTIES
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/belljar")
set_target_properties(belljar-compiler PROPERTIES
  INSTALL_RPATH "$ORIGIN/../../${CMAKE_INSTALL_LIBDIR}/belljar")

install(TARGETS belljar RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Found by the library and the program as ../libexec/belljar, so this name is fixed.
install(TARGETS belljar-compiler RUNTIME DESTINATION libexec/belljar)
install(TARGETS belljar_engine_crate LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/belljar)
install(TARGETS belljar_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/belljar
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# For find_package. Written by hand, because what the library itself links is nobody else's
# business: an exported target would name all of it.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/belljar)
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/belljarConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/belljarConfig.cmake
  INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
# Before 1.0 a minor version may change what is declared.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/belljarConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/belljarConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/belljarConfigVersion.cmake
        DESTINATION ${package_folder})

# The program describes itself: its manual page and completions are what it prints.
set(described ${PROJECT_BINARY_DIR}/share)
file(MAKE_DIRECTORY ${described})
function(belljar_prints file)
  add_custom_command(OUTPUT ${described}/${file}
    COMMAND belljar ${ARGN} > ${described}/${file}.new
    COMMAND ${CMAKE_COMMAND} -E rename ${described}/${file}.new ${described}/${file}
    DEPENDS belljar VERBATIM)
endfunction()
belljar_prints(belljar.1 help --manual)
belljar_prints(belljar.bash completion bash)
belljar_prints(_belljar completion zsh)
belljar_prints(belljar.fish completion fish)
add_custom_command(OUTPUT ${described}/belljar.1.gz
  COMMAND gzip -9 -n -c ${described}/belljar.1 > ${described}/belljar.1.gz
  DEPENDS ${described}/belljar.1 VERBATIM)
add_custom_target(belljar_described ALL DEPENDS
  ${described}/belljar.1.gz ${described}/belljar.bash ${described}/_belljar
  ${described}/belljar.fish)
install(FILES ${described}/belljar.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${described}/belljar.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME belljar)
install(FILES ${described}/_belljar DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${described}/belljar.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# The crates are linked into the engine, and their licenses ask to be told.
find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)
set(licenses ${described}/engine-licenses.txt)
add_custom_command(OUTPUT ${licenses}.gz
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/engine_licenses.py
          --cargo ${BELLJAR_CARGO} --out ${licenses}
  COMMAND gzip -9 -n -f ${licenses}
  # Cargo has unpacked the crates once the engine is built.
  DEPENDS belljar_engine_crate ${PROJECT_SOURCE_DIR}/tools/engine_licenses.py
          ${PROJECT_SOURCE_DIR}/engine/Cargo.lock
  VERBATIM)
add_custom_target(belljar_licenses ALL DEPENDS ${licenses}.gz)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/copyright ${licenses}.gz
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
