// A shared library that is opened when it is first needed. Linking it would make every start pay
// for it, and for all the libraries that it brings along.
#pragma once

#include <string>

#include "belljar/error.h"

namespace belljar {

/// Base of a table of a library's functions:
///
///     struct Example : SharedLibrary {
///       Example() : SharedLibrary("libexample.so.1") {}
///       BELLJAR_LIBRARY_FUNCTION(example_begin);
///     };
///
/// The functions may be called once `opened` has said that all of them are there. The library
/// stays open until the process ends: what it has started or registered may outlive this object.
class SharedLibrary {
 public:
  SharedLibrary(const SharedLibrary&) = delete;
  SharedLibrary& operator=(const SharedLibrary&) = delete;

  /// The error says which library or function is missing.
  [[nodiscard]] Result<void> opened() const;

 protected:
  /// Opens a library of the system by its name.
  explicit SharedLibrary(const char* name);
  ~SharedLibrary() = default;
  [[nodiscard]] void* find(const char* function);

 private:
  void* handle_;
  std::string name_;
  std::string problem_;
};

}  // namespace belljar

/// A member that is a pointer to the library's function of this name, with its declared type.
#define BELLJAR_LIBRARY_FUNCTION(function) \
  decltype(&::function) function = reinterpret_cast<decltype(&::function)>(find(#function))
