#include "attack.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

namespace belljar::attacks {
namespace {

constexpr std::string_view healthy_component = R"((component
  (core module $m
    (func (export "add") (param i32 i32) (result i32)
      (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))))";

bool has_members(const Json& record, const Json& members) {
  return std::all_of(members.items().begin(), members.items().end(), [&](const auto& member) {
    return record.contains(member.key()) && record[member.key()] == member.value();
  });
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "belljar-attack-XXXXXX").native();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

Attack::Attack() {
  environment_["BELLJAR_HOME"] = home().native();
  environment_["HOME"] = folder().native();
  environment_["NO_COLOR"] = "1";
  write("healthy.wat", healthy_component);
}

std::filesystem::path Attack::write(const std::filesystem::path& name,
                                    std::string_view contents) const {
  const std::filesystem::path path = folder() / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  if (!file) ADD_FAILURE() << "cannot write " << path;
  return path;
}

Child::Options Attack::options(std::vector<std::string> words) const {
  words.insert(words.begin(), BELLJAR_PROGRAM);
  return {std::move(words), environment_, folder()};
}

CommandResult Attack::run(std::vector<std::string> words, std::string_view input) const {
  const std::string line = fmt::format("belljar {}", fmt::join(words, " ")).substr(0, 400);
  Child child(options(std::move(words)));
  child.write(input);
  child.end_input();
  const auto code = child.wait(soon());
  if (!code) ADD_FAILURE() << line << " did not end; standard error:\n" << child.err();
  return {code.value_or(-1), std::move(child.out()), std::move(child.err())};
}

std::unique_ptr<Child> Attack::start(std::vector<std::string> words) const {
  return std::make_unique<Child>(options(std::move(words)));
}

std::unique_ptr<Server> Attack::serve(std::vector<std::string> words, ServerOptions server) const {
  std::vector<std::string> all{"serve", "--stdio"};
  if (!server.from_state) all.push_back("healthy=" + (folder() / "healthy.wat").native());
  all.insert(all.end(), words.begin(), words.end());
  return std::make_unique<Server>(options(std::move(all)), server.era, server.version);
}

void Attack::expect_healthy(Server& server) {
  const Json result = server.call("healthy_add", {{"a", 19}, {"b", 23}});
  EXPECT_EQ(text_of(result), "42") << "a healthy call went wrong: " << result;
}

void Attack::expect_healthy() const {
  const CommandResult result = run({"call", "healthy.wat", "add", "a=19", "b=23"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out, "42\n") << "a healthy call went wrong";
}

std::vector<Json> Attack::audit_log(std::vector<std::string> words) const {
  words.insert(words.begin(), {"log", "--json"});
  const CommandResult result = run(std::move(words));
  EXPECT_EQ(result.code, 0) << "the audit log cannot be read: " << result.err;
  std::vector<Json> records;
  std::size_t begin = 0;
  while (begin < result.out.size()) {
    const std::size_t end = std::min(result.out.find('\n', begin), result.out.size());
    const std::string_view line = std::string_view(result.out).substr(begin, end - begin);
    const Json stored = Json::parse(line, nullptr, false);
    if (stored.is_discarded() || !stored.contains("record")) {
      ADD_FAILURE() << "the audit log holds a line that is no record: " << line;
    } else {
      records.push_back(stored["record"]);
    }
    begin = end + 1;
  }
  return records;
}

Json Attack::expect_record(const Json& members) const {
  const Deadline deadline = soon();
  std::vector<Json> records;
  do {
    records = audit_log();
    const auto found = std::find_if(records.begin(), records.end(), [&](const Json& record) {
      return has_members(record, members);
    });
    if (found != records.end()) return *found;
  } while (std::chrono::steady_clock::now() < deadline);
  ADD_FAILURE() << "the audit log never shows " << members << "; it shows " << Json(records);
  return Json::object();
}

void Attack::expect_sound_log() const {
  const CommandResult result = run({"log", "verify"});
  EXPECT_EQ(result.code, 0) << "the audit log is broken: " << result.out << result.err;
}

std::string component_of(std::string_view module, std::string_view lifted) {
  return fmt::format(R"((component
  (core module $m
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 65536))
    ;; A bump allocator, which is all that a call in a fresh instance needs.
    (func (export "realloc") (param $old i32) (param $old_size i32) (param $align i32)
                             (param $size i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $free) (i32.shl (memory.size) (i32.const 16)))
        (then (drop (memory.grow (i32.sub
          (i32.shr_u (i32.add (global.get $free) (i32.const 65535)) (i32.const 16))
          (memory.size))))))
      (local.get $at))
    {})
  (core instance $i (instantiate $m))
  {}))",
                     module, lifted);
}

std::string lift(std::string_view name, std::string_view type) {
  return fmt::format(R"((func (export "{0}") {1} (canon lift (core func $i "{0}")
    (memory $i "memory") (realloc (func $i "realloc"))))
  )",
                     name, type);
}

}  // namespace belljar::attacks
