// libcurl, which is opened with the first request: with the forty libraries that it brings along,
// linking it would cost every start of every command several milliseconds.
#pragma once

#include <curl/curl.h>

#include "support/shared_library.h"

namespace belljar::host {

/// The functions of libcurl that are used.
struct CurlLibrary final : SharedLibrary {
  CurlLibrary() : SharedLibrary("libcurl.so.4") {
    if (opened()) curl_global_init(CURL_GLOBAL_DEFAULT);
  }
  ~CurlLibrary() {
    if (opened()) curl_global_cleanup();
  }

  BELLJAR_LIBRARY_FUNCTION(curl_global_init);
  BELLJAR_LIBRARY_FUNCTION(curl_global_cleanup);
  BELLJAR_LIBRARY_FUNCTION(curl_easy_init);
  BELLJAR_LIBRARY_FUNCTION(curl_easy_setopt);
  BELLJAR_LIBRARY_FUNCTION(curl_easy_pause);
  BELLJAR_LIBRARY_FUNCTION(curl_easy_strerror);
  BELLJAR_LIBRARY_FUNCTION(curl_easy_cleanup);
  BELLJAR_LIBRARY_FUNCTION(curl_slist_append);
  BELLJAR_LIBRARY_FUNCTION(curl_slist_free_all);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_init);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_setopt);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_add_handle);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_remove_handle);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_socket_action);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_info_read);
  BELLJAR_LIBRARY_FUNCTION(curl_multi_cleanup);
};

}  // namespace belljar::host
