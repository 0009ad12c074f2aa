// A guest that has a folder and wants more of it than was granted. What the file gate does in each
// case is in src/host/file_gate_test.cc.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "file_attack.h"

namespace belljar::attacks {
namespace {

using A29 = FileAttack;
using A32 = FileAttack;
using A34 = FileAttack;
using A35 = FileAttack;
using A37 = FileAttack;

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST_F(A29, PathsThatClimbOutOpenNothing) {
  HostileProgram climbing;
  for (const char* const path :
       {"../outside/secret", "sub/../../outside/secret", "/etc/passwd", "//etc/passwd", "..",
        "./../outside/secret", "sub/./../.././outside/secret", "out/../../outside/secret"}) {
    climbing.open(path);
  }
  EXPECT_THAT(attempt(climbing, "rw"), AllOf(SizeIs(8), Each(wasi::not_permitted)));
  EXPECT_THAT(
      attempt(HostileProgram().open("file/").open("file/.").open("file/../file").open(""), "rw"),
      ElementsAre(wasi::not_a_directory, wasi::not_a_directory, wasi::not_a_directory,
                  wasi::no_entry));
  EXPECT_THAT(attempt(HostileProgram().open("sub/../file").open("./file").open("sub//deep"), "ro"),
              Each(0));
  expect_refusal_recorded();
  expect_unharmed();
}

/// Everything that changes something, each in a way that works where writing is granted.
HostileProgram changes() {
  return HostileProgram()
      .open_to_write("file")
      .truncate("file")
      .create("new")
      .make_folder("made")
      .remove("spare")
      .remove_folder("empty")
      .rename("file", "moved")
      .set_times("sub/deep")
      .link("sub/deep", "linked")
      .symbolic_link("sub/deep", "pointer");
}

TEST_F(A32, AReadOnlyGrantChangesNothing) {
  write("granted/spare", "spare");
  std::filesystem::create_directory(folder() / "granted/empty");
  const auto before = std::filesystem::last_write_time(folder() / "granted/file");
  EXPECT_THAT(attempt(changes(), "ro"), AllOf(SizeIs(10), Each(wasi::not_permitted)));
  EXPECT_THAT(attempt_under(changes(),
                            "    allow: [{{uri: \"fs://{0}/granted\", access: [read], "
                            "guest: /data, hardlinks: allow}}]\n"),
              AllOf(SizeIs(10), Each(wasi::not_permitted)));
  EXPECT_THAT(
      attempt(HostileProgram().open("file").set_size(0).write_at(0, "x").read_exactly("hello"),
              "ro"),
      ElementsAre(0, wasi::invalid, wasi::bad_descriptor, 0));
  EXPECT_EQ(contents("granted/file"), "hello");
  EXPECT_EQ(contents("granted/spare"), "spare");
  EXPECT_EQ(std::filesystem::last_write_time(folder() / "granted/file"), before);
  EXPECT_TRUE(std::filesystem::exists(folder() / "granted/empty"));
  for (const char* const made : {"new", "made", "moved", "linked", "pointer"}) {
    EXPECT_FALSE(std::filesystem::exists(folder() / "granted" / made)) << made;
  }
  expect_refusal_recorded();
  expect_unharmed();
}

TEST_F(A32, WhatIsRefusedReadOnlyWorksWhereWritingIsGranted) {
  write("granted/spare", "spare");
  std::filesystem::create_directory(folder() / "granted/empty");
  EXPECT_THAT(attempt(HostileProgram().open_to_write("file").set_size(2).write_at(0, "x"), "rw"),
              AllOf(SizeIs(3), Each(0)));
  EXPECT_EQ(contents("granted/file"), "xe");
  EXPECT_THAT(attempt_under(changes(), with_hard_links), AllOf(SizeIs(10), Each(0)));
  EXPECT_EQ(contents("granted/moved"), "") << "it was cut to nothing before";
  EXPECT_EQ(contents("granted/linked"), "deep");
  EXPECT_EQ(contents("granted/pointer"), "deep");
  EXPECT_FALSE(std::filesystem::exists(folder() / "granted/spare"));
  EXPECT_FALSE(std::filesystem::exists(folder() / "granted/empty"));
  expect_unharmed();
}

TEST_F(A34, FilesAndBytesHaveQuotas) {
  EXPECT_THAT(attempt(HostileProgram()
                          .create("one")
                          .create("two")
                          .create("three")
                          .make_folder("four")
                          .symbolic_link("file", "five"),
                      "rw", {"--grant", "limit=files=2"}),
              ElementsAre(0, 0, wasi::no_space, wasi::no_space, wasi::no_space));
  EXPECT_THAT(attempt(HostileProgram()
                          .create("bytes")
                          .write_at(0, std::string(60'000, 'x'))
                          .write_at(60'000, std::string(10'000, 'x')),
                      "rw", {"--grant", "limit=written=64Ki"}),
              ElementsAre(0, 0, wasi::no_space));
  EXPECT_EQ(std::filesystem::file_size(folder() / "granted/bytes"), 60'000U);
  expect_unharmed();
}

TEST_F(A34, NamesAndDepthHaveBounds) {
  EXPECT_THAT(attempt(HostileProgram()
                          .create(std::string(255, 'n'))
                          .create(std::string(256, 'n'))
                          .create(std::string(5'000, 'n'))
                          .create(std::string(100'000, 'n')),
                      "rw"),
              ElementsAre(0, wasi::name_too_long, wasi::name_too_long, wasi::name_too_long));
  // All of it is there, so that nothing but its depth is in the way.
  const auto folders = [](int count) {
    std::string path = "d";
    for (int i = 1; i < count; ++i) path += "/d";
    return path;
  };
  std::filesystem::create_directories(folder() / "granted" / folders(100));
  std::filesystem::create_directory_symlink(folders(40), folder() / "granted/forty");
  EXPECT_THAT(attempt(HostileProgram()
                          .create(folders(63) + "/new")
                          .create(folders(64) + "/new")
                          .create(folders(100) + "/new")
                          .create("forty/" + folders(20) + "/new")
                          .create("forty/" + folders(40) + "/new"),
                      "rw"),
              ElementsAre(0, wasi::name_too_long, wasi::name_too_long, 0, wasi::name_too_long));
  expect_unharmed();
}

TEST_F(A34, OpenFilesAreCounted) {
  HostileProgram handles;
  for (int i = 0; i < 10; ++i) handles.open("file");
  const std::vector<int> opened = attempt(handles, "ro", {"--grant", "limit=handles=4"});
  ASSERT_THAT(opened, SizeIs(10));
  EXPECT_EQ(std::count(opened.begin(), opened.end(), 0), 4);
  EXPECT_EQ(std::count(opened.begin(), opened.end(), wasi::no_memory), 6)
      << "there is no code for too many open files";
  // What is closed can be opened again.
  HostileProgram one_by_one;
  for (int i = 0; i < 10; ++i) one_by_one.open("file").close();
  EXPECT_THAT(attempt(one_by_one, "ro", {"--grant", "limit=handles=4"}),
              AllOf(SizeIs(20), Each(0)));
  expect_unharmed();
}

TEST_F(A35, AFileOfAnExabyteIsNotMade) {
  constexpr std::uint64_t exabyte = std::uint64_t{1} << 60;
  EXPECT_THAT(attempt(HostileProgram()
                          .create("sparse")
                          .set_size(exabyte)
                          .write_at(exabyte, "x")
                          .write_at(~std::uint64_t{0}, "x")
                          .allocate(0, exabyte)
                          .set_size(~std::uint64_t{0}),
                      "rw"),
              ElementsAre(0, wasi::no_space, wasi::no_space, wasi::invalid, wasi::not_supported,
                          wasi::no_space));
  EXPECT_EQ(std::filesystem::file_size(folder() / "granted/sparse"), 0U);
  expect_unharmed();
}

TEST_F(A37, AFolderOfManyEntriesIsListedWithinBounds) {
  const std::filesystem::path many = folder() / "granted/many";
  std::filesystem::create_directories(many);
  const int parent = ::open(many.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(parent, 0);
  // A file has at most 65,000 names.
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = fmt::format("{:06}", i);
    const char* const file = i % 2 == 0 ? "granted/file" : "granted/sub/deep";
    ASSERT_EQ(::linkat(AT_FDCWD, (folder() / file).c_str(), parent, name.c_str(), 0), 0) << name;
  }
  ::close(parent);
  EXPECT_THAT(attempt(HostileProgram().open_folder("many").read_folder(), "ro",
                      {"--grant", "limit=memory=16Mi"}),
              Each(0))
      << "it is read as the guest takes it";
  EXPECT_THAT(attempt(HostileProgram().open_folder("sub").read_folder(), "ro"), Each(0));
  expect_unharmed();
}

}  // namespace
}  // namespace belljar::attacks
