// A01 to A03: files that are broken, that take for ever to compile, and that hold too much of
// everything.

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "attack.h"

namespace belljar::attacks {
namespace {

using A01 = Attack;
using A02 = Attack;
using A03 = Attack;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// A small component with a bit of everything: functions, a memory, a table, data, an allocator, an
/// enum, a string. What it does is `add` and `text`.
constexpr std::string_view victim_in_hex =
    "0061736d0d000100070d016d020372656405677265656e0a0b010005636f6c6f7203000001b3010061736d01"
    "00000001160360047f7f7f7f017f60027f7f017f60037f7f7f017f0304030001020404017000040503010001"
    "072104066d656d6f72790200077265616c6c6f630000036164640001047465787400020907010041000b0101"
    "0a2f0305004180080b0700200020016a0b1f0020024504402000200110011a0b411020003602004114200136"
    "020041100b0b10010041c0000b09736f6d6520646174610011046e616d650002016d01060101036164640204"
    "01000000070b014002016179016279007906090100000100036164640806010000000002070b014002017473"
    "016301007306210300000100047465787400020100066d656d6f727900000100077265616c6c6f63080a0100"
    "00010203000402030b12020003616464010000000474657874010100002a0e636f6d706f6e656e742d6e616d"
    "65010600110100016d01060012010001690109030200026327010163";

std::string victim() {
  std::string bytes;
  for (std::size_t i = 0; i < victim_in_hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(victim_in_hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

/// A process as the kernel lists it.
struct Listed {
  std::string name;
  char state = 0;
  pid_t parent = 0;
};

std::map<pid_t, Listed> processes() {
  std::map<pid_t, Listed> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      continue;
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    std::getline(stat, text);
    const std::size_t begin = text.find('(');
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) continue;
    Listed& one = all[std::stoi(name)];
    one.name = text.substr(begin + 1, end - begin - 1);
    std::istringstream(text.substr(end + 1)) >> one.state >> one.parent;
  }
  return all;
}

/// The compiler helper that a process has started, by itself or through its keeper, and that still
/// runs; zero if there is none.
pid_t compiler_of(pid_t ancestor) {
  const auto all = processes();
  for (const auto& [pid, one] : all) {
    if (!one.name.starts_with("belljar-compi") || one.state == 'Z') continue;
    for (auto at = all.find(one.parent); at != all.end(); at = all.find(at->second.parent)) {
      if (at->first == ancestor) return pid;
    }
  }
  return 0;
}

/// Waits for it; zero if it never starts.
pid_t await_compiler_of(pid_t ancestor) {
  const Deadline deadline = soon();
  pid_t compiler = 0;
  while (compiler == 0 && std::chrono::steady_clock::now() < deadline) {
    compiler = compiler_of(ancestor);
  }
  return compiler;
}

/// Attacks with many files at once, each in a process of its own.
class ManyFiles : public Attack {
 protected:
  /// Every file is either refused as one that cannot be loaded, or is a component all the same.
  void expect_refused_or_sound(const std::vector<std::string>& files) {
    constexpr std::size_t at_once = 4;
    std::size_t refused = 0;
    for (std::size_t begin = 0; begin < files.size(); begin += at_once) {
      std::vector<std::unique_ptr<Child>> children;
      const std::size_t end = std::min(files.size(), begin + at_once);
      for (std::size_t i = begin; i < end; ++i) {
        const std::string name = fmt::format("broken-{}.wasm", i);
        write(name, files[i]);
        children.push_back(start({"inspect", name}));
        children.back()->end_input();
      }
      for (std::size_t i = begin; i < end; ++i) {
        Child& child = *children[i - begin];
        const auto code = child.wait(soon());
        ASSERT_TRUE(code.has_value()) << "file " << i << " is looked at for ever";
        EXPECT_TRUE(*code == 0 || *code == 5)
            << "file " << i << " ends with " << *code << ": " << child.err();
        if (*code == 5) {
          ++refused;
          EXPECT_THAT(child.err(), testing::HasSubstr(fmt::format("broken-{}.wasm", i)));
          EXPECT_LT(child.err().size(), 4'096U);
        }
      }
    }
    EXPECT_GT(refused, files.size() / 4) << "these files were meant to be broken";
  }
};

class A01Files : public ManyFiles {};

TEST_F(A01Files, TruncatedComponentsAreRefused) {
  const std::string whole = victim();
  write("whole.wasm", whole);
  const CommandResult sound = run({"call", "whole.wasm", "text", R"({"t":"hello","c":"green"})"});
  ASSERT_EQ(sound.out, "\"hello\"\n") << sound.err;
  std::vector<std::string> files{""};
  for (std::size_t size = 1; size < whole.size(); size += 9) files.push_back(whole.substr(0, size));
  expect_refused_or_sound(files);
  expect_healthy();
}

TEST_F(A01Files, ComponentsWithFlippedBitsAreRefusedOrHarmless) {
  const std::string whole = victim();
  std::mt19937 random(1);
  std::vector<std::string> files;
  for (int i = 0; i < 120; ++i) {
    std::string file = whole;
    for (int flips = 0; flips <= i % 3; ++flips) {
      char& byte = file[random() % file.size()];
      byte = static_cast<char>(byte ^ (1 << (random() % 8)));
    }
    files.push_back(std::move(file));
  }
  expect_refused_or_sound(files);
  expect_healthy();
}

TEST_F(A01Files, RandomBytesAndSplicedPartsAreRefused) {
  const std::string whole = victim();
  std::mt19937 random(2);
  const auto noise = [&](std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    return bytes;
  };
  const std::string component_head = whole.substr(0, 8);
  const std::string module_head("\0asm\1\0\0\0", 8);
  std::vector<std::string> files;
  for (int i = 0; i < 12; ++i) {
    files.push_back(noise(1 + random() % 4'096));
    files.push_back(component_head + noise(random() % 512));
    files.push_back(module_head + noise(random() % 512));
    const std::size_t cut = random() % whole.size();
    files.push_back(whole.substr(0, cut) + noise(16) + whole.substr(cut));
    files.push_back(whole.substr(0, cut) + whole.substr(random() % whole.size()));
  }
  // Sizes that lie: a section of four gigabytes, a name of four gigabytes, a count of everything.
  files.push_back(component_head + std::string("\x01\xff\xff\xff\xff\x0f", 6));
  files.push_back(component_head + std::string("\x00\x06\xff\xff\xff\xff\x0f"
                                               "a",
                                               8));
  files.push_back(module_head + std::string("\x01\x05\xff\xff\xff\xff\x0f", 7));
  files.push_back(module_head + std::string("\x03\x05\xff\xff\xff\xff\x0f", 7));
  files.push_back(whole + whole);
  files.push_back(std::string(mebibyte, '\0'));
  files.push_back(
      "\x7f"
      "ELF" +
      noise(256));
  expect_refused_or_sound(files);
  expect_healthy();
}

TEST_F(A01, ABrokenFileDoesNotKeepTheServerFromTheOthers) {
  write("broken.wasm", victim().substr(0, 200));
  write("noise.wasm", "\x01\x02\x03");
  std::filesystem::create_directory(folder() / "folder.wasm");
  ::mkfifo((folder() / "pipe.wasm").c_str(), 0600);
  const auto server = serve({"broken.wasm", "noise.wasm", "folder.wasm", "pipe.wasm"});
  expect_healthy(*server);
  for (const std::string_view name : {"broken.wasm", "noise.wasm", "folder.wasm", "pipe.wasm"}) {
    EXPECT_THAT(server->child().err(), testing::HasSubstr(name));
  }
  EXPECT_EQ(server->end(), 0);
  for (const Json& record : audit_log({"--kind", "load"}))
    EXPECT_EQ(record["component"], "healthy");
}

TEST_F(A01, AMessageAboutAFileIsNoLongerThanALookAtIt) {
  write("parens.wat", std::string(mebibyte, '('));
  write("word.wat", "(component " + std::string(mebibyte, 'x') + ")");
  write("escapes.wat", "(component \x1b[2J\xe2\x80\xae)");
  for (const std::string_view name : {"parens.wat", "word.wat", "escapes.wat"}) {
    const CommandResult result = run({"inspect", std::string(name)});
    EXPECT_EQ(result.code, 5) << result.err.substr(0, 400);
    EXPECT_LT(result.err.size(), 4'096U);
    EXPECT_THAT(result.err, testing::HasSubstr(name));
    EXPECT_THAT(result.err, testing::Not(testing::HasSubstr("\x1b")));
    EXPECT_THAT(result.err, testing::Not(testing::HasSubstr("\xe2\x80\xae")));
  }
  expect_healthy();
}

/// A component whose compilation takes minutes.
std::string slow_to_compile() {
  std::string text = "(component ";
  for (int i = 0; i < 100'000; ++i) text += fmt::format("(import \"a{}\" (func))", i);
  return text + ")";
}

/// One function of this many statements.
std::string long_function(int statements) {
  std::string text = R"((component (core module $m (func (export "f") (param i32) (result i32) )";
  for (int i = 0; i < statements; ++i) {
    text += "(local.set 0 (i32.add (local.get 0) (i32.mul (local.get 0) (i32.const 12345))))";
  }
  return text + R"((local.get 0))) (core instance $i (instantiate $m))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f")))))";
}

TEST_F(A02, CompilingHasALimitOfTime) {
  write("home/config/belljar.toml", "[compiler]\ntime = \"1s\"\n");
  write("slow.wat", slow_to_compile());
  const CommandResult result = run({"inspect", "slow.wat"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, testing::HasSubstr("takes longer than 1 second"));
  expect_healthy();
}

TEST_F(A02, CompilingHasALimitOfMemory) {
  write("home/config/belljar.toml", "[compiler]\nmemory = \"256Mi\"\n");
  write("large.wat", long_function(150'000));
  const CommandResult result = run({"inspect", "large.wat"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, testing::HasSubstr("256 MiB"));
  EXPECT_EQ(run({"call", "large.wat", "f", "n=1"}).code, 5) << "half of it was kept";
  expect_healthy();
}

TEST_F(A02, CompilingCanBeCancelled) {
  write("slow.wat", slow_to_compile());
  const auto child = start({"inspect", "slow.wat"});
  ASSERT_NE(await_compiler_of(child->pid()), 0) << "nothing is compiled";
  child->signal(SIGINT);
  ASSERT_TRUE(child->wait(soon()).has_value()) << "the command waits for the compiler";
  EXPECT_NE(*child->wait(soon()), 0);
  expect_healthy();
}

TEST_F(A02, AServerAnswersAndEndsWhileItCompiles) {
  write("slow.wat", slow_to_compile());
  const auto server = serve({"slow.wat"});
  // What asks for no tools is answered at once.
  EXPECT_TRUE(server->ask("server/discover").contains("result"));
  ASSERT_NE(await_compiler_of(server->child().pid()), 0) << "nothing is compiled";
  server->start_call("healthy_add", {{"a", 1}, {"b", 2}});
  EXPECT_TRUE(server->ask("server/discover").contains("result"));
  EXPECT_EQ(server->end(), 0);
  expect_healthy();
  expect_sound_log();
}

TEST_F(A02, TheCompilerEndsWithWhoeverStartedItHoweverThatEnds) {
  write("slow.wat", slow_to_compile());
  // One starts the compiler itself, the others through a keeper.
  for (const std::vector<std::string>& words : {std::vector<std::string>{"inspect", "slow.wat"},
                                                {"call", "slow.wat", "f"},
                                                {"serve", "slow.wat"}}) {
    const auto child = start(words);
    const pid_t compiler = await_compiler_of(child->pid());
    ASSERT_NE(compiler, 0) << words.front() << " compiles nothing: " << child->err();
    Pipe handle(static_cast<int>(::syscall(SYS_pidfd_open, compiler, 0)));
    ASSERT_TRUE(handle.is_open());
    child->signal(SIGKILL);
    pollfd entry{.fd = handle.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1)
        << words.front() << " was killed, and the compiler goes on";
  }
  expect_healthy();
}

/// A component of one module with this in front of its one function.
std::string with_core(std::string_view fields) {
  return fmt::format(R"((component (core module $m {} (func (export "f")))
    (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f")))))",
                     fields);
}

std::string numbered(int count, std::string_view text) {
  std::string whole;
  for (int i = 0; i < count; ++i) whole += fmt::format(fmt::runtime(text), i);
  return whole;
}

TEST_F(A03, AHundredThousandOfAnythingIsLoadedOrRefused) {
  write("home/config/belljar.toml", "[compiler]\ntime = \"5s\"\nmemory = \"2Gi\"\n");
  constexpr int many = 100'000;
  struct Case {
    std::string_view name;
    std::string text;
  };
  const std::vector<Case> cases{
      {"functions", with_core(numbered(many, "(func)"))},
      {"types", with_core(numbered(many, "(type (func (param i32)))"))},
      {"globals", with_core(numbered(many, "(global (mut i32) (i32.const {}))"))},
      {"core-exports", with_core("(func $g)" + numbered(many, "(export \"e{}\" (func $g))"))},
      {"core-imports", fmt::format("(component (core module $m {}))",
                                   numbered(many, "(import \"a\" \"b{}\" (func))"))},
      {"component-types", "(component " + numbered(many, "(type (tuple u8 u32))") + ")"},
      {"component-imports", "(component " + numbered(many, "(import \"a{}\" (func))") + ")"},
      {"component-exports",
       R"((component (core module $m (func (export "f"))) (core instance $i (instantiate $m)) )" +
           numbered(many, R"((func (export "f{}") (canon lift (core func $i "f"))))") + ")"},
      {"nested", numbered(many, "(component ") + std::string(many, ')')},
      {"side-by-side", "(component " + numbered(many, "(component)") + ")"},
      {"blocks", with_core("(func " + numbered(many, "(block ") + std::string(many, ')') + ")")},
      {"locals", with_core("(func (local " + numbered(49'000, "i64 ") + "))")},
      {"segments", with_core("(memory 1)" + numbered(many, "(data (i32.const 0) \"x\")"))},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const std::string file = fmt::format("{}.wat", one.name);
    write(file, one.text);
    const auto child = start({"inspect", file});
    child->end_input();
    const auto code = child->wait(soon());
    ASSERT_TRUE(code.has_value()) << "it never ends";
    EXPECT_TRUE(*code == 0 || *code == 5) << *code << ": " << child->err().substr(0, 400);
  }
  expect_healthy();
}

TEST_F(A03, TypesThatUnfoldWithoutEndAreRefused) {
  const auto typed = [](int depth, std::string_view step) {
    std::string types = "(type $t0 (tuple u8 u8))";
    for (int i = 0; i < depth; ++i) {
      types += fmt::format(fmt::runtime(step), i + 1, i);
    }
    return fmt::format(R"((component {}
      (core module $m (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 8)))
      (core instance $i (instantiate $m))
      (func (export "f") (result $t{}) (canon lift (core func $i "f") (memory $i "memory")))))",
                       types, depth);
  };
  // Each twice the one before, flat and behind lists, and a tower of lists.
  write("flat.wat", typed(60, "(type $t{0} (tuple $t{1} $t{1}))"));
  write("lists.wat", typed(60, "(type $t{0} (tuple (list $t{1}) (list $t{1})))"));
  write("tower.wat", typed(100'000, "(type $t{0} (list $t{1}))"));
  write("options.wat", typed(2'000, "(type $t{0} (option $t{1}))"));
  for (const std::string_view name : {"flat.wat", "lists.wat", "tower.wat", "options.wat"}) {
    SCOPED_TRACE(name);
    const CommandResult result = run({"inspect", std::string(name)});
    EXPECT_EQ(result.code, 5) << result.err.substr(0, 400);
  }
  const auto server = serve({"flat.wat", "lists.wat", "tower.wat", "options.wat"});
  expect_healthy(*server);
  EXPECT_EQ(server->end(), 0);
}

}  // namespace
}  // namespace belljar::attacks
