# `cpack --config build/release/CPackConfig.cmake` makes belljar_VERSION_amd64.deb.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME belljar)
set(CPACK_PACKAGE_VENDOR "The Belljar authors")
set(CPACK_PACKAGE_CONTACT "The Belljar authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Runs tools that are WebAssembly components, for agents that speak the Model
Context Protocol. A tool starts with no rights at all: what it may read, write
or reach over the network is granted by a person, and every use is recorded.
.
This package has the program, the library and its headers.")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# What is linked is found in the files; what is opened when it is needed is not.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, libcurl4 (>= 7.88), libarchive13 (>= 3.6)")
include(CPack)
