// Another process's transaction on a database of the state.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

namespace belljar::attacks {

/// While it is there, nobody else writes to the database.
class HeldDatabase {
 public:
  explicit HeldDatabase(const std::filesystem::path& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &holder_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(holder_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(holder_);
  }
  ~HeldDatabase() { sqlite3_close(holder_); }
  HeldDatabase(const HeldDatabase&) = delete;
  HeldDatabase& operator=(const HeldDatabase&) = delete;

 private:
  sqlite3* holder_ = nullptr;
};

}  // namespace belljar::attacks
