// libarchive, which is opened when a backup is made or taken back: no other command needs it, or
// the libraries that it brings along.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "support/shared_library.h"

namespace belljar::runtime {

/// The functions of libarchive that are used.
struct ArchiveLibrary final : SharedLibrary {
  ArchiveLibrary() : SharedLibrary("libarchive.so.13") {}

  BELLJAR_LIBRARY_FUNCTION(archive_error_string);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_new);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_free);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_pathname);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_filetype);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_set_pathname);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_set_size);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_set_filetype);
  BELLJAR_LIBRARY_FUNCTION(archive_entry_set_perm);
  BELLJAR_LIBRARY_FUNCTION(archive_write_new);
  BELLJAR_LIBRARY_FUNCTION(archive_write_free);
  BELLJAR_LIBRARY_FUNCTION(archive_write_set_format_pax_restricted);
  BELLJAR_LIBRARY_FUNCTION(archive_write_add_filter_gzip);
  BELLJAR_LIBRARY_FUNCTION(archive_write_open_fd);
  BELLJAR_LIBRARY_FUNCTION(archive_write_header);
  BELLJAR_LIBRARY_FUNCTION(archive_write_data);
  BELLJAR_LIBRARY_FUNCTION(archive_write_close);
  BELLJAR_LIBRARY_FUNCTION(archive_read_new);
  BELLJAR_LIBRARY_FUNCTION(archive_read_free);
  BELLJAR_LIBRARY_FUNCTION(archive_read_support_filter_gzip);
  BELLJAR_LIBRARY_FUNCTION(archive_read_support_format_tar);
  BELLJAR_LIBRARY_FUNCTION(archive_read_open_fd);
  BELLJAR_LIBRARY_FUNCTION(archive_read_next_header);
  BELLJAR_LIBRARY_FUNCTION(archive_read_data);
};

}  // namespace belljar::runtime
