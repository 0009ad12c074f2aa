#include "runtime/doctor.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "artifact/loader.h"
#include "engine/compiler.h"
#include "host/confinement.h"
#include "runtime/bounds.h"
#include "runtime/client_configs.h"
#include "store/components.h"
#include "store/grants.h"
#include "store/secrets.h"
#include "store/state.h"
#include "support/file.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::runtime {
namespace {

/// Memory mappings that one live sandbox of a large component needs, as bench/run measures them.
constexpr std::uint64_t mappings_a_sandbox = 18;
constexpr std::uint64_t files_wanted = 4'096;

class Examination {
 public:
  Examination(const store::GetVariable& variable, std::filesystem::path project)
      : variable_(variable), project_(std::move(project)) {}

  std::vector<Finding> run() {
    examine_kernel();
    const auto settings = read_settings(variable_);
    if (!settings) {
      problem("state", settings.error().describe(), "mend the file that it names");
    } else {
      examine_limits(*settings);
      examine_compiler(*settings);
      examine_state(*settings);
      examine_profiles(*settings);
    }
    auto clients = examine_clients(variable_, project_, program());
    findings_.insert(findings_.end(), clients.begin(), clients.end());
    return std::move(findings_);
  }

 private:
  void good(std::string area, std::string text) {
    findings_.push_back({FindingLevel::good, std::move(area), std::move(text), {}});
  }
  void note(std::string area, std::string text, std::string remedy) {
    findings_.push_back({FindingLevel::note, std::move(area), std::move(text), std::move(remedy)});
  }
  void problem(std::string area, std::string text, std::string remedy) {
    findings_.push_back(
        {FindingLevel::problem, std::move(area), std::move(text), std::move(remedy)});
  }

  static std::filesystem::path program() {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error);
  }

  static std::optional<std::uint64_t> read_number(const char* path) {
    const auto text = read_file(path, Bytes{4'096});
    if (!text) return std::nullopt;
    std::uint64_t number = 0;
    const std::string_view digits = trim(*text);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc()) return std::nullopt;
    return number;
  }

  void examine_kernel() {
    const auto actions = read_file("/proc/sys/kernel/seccomp/actions_avail", Bytes{4'096});
    const host::Confinement offered{
        .landlock_version = host::landlock_version(),
        .system_calls_filtered = actions && actions->find("errno") != std::string::npos};
    if (offered.landlock_version == 0) {
      problem("kernel", "there is no Landlock, so a server cannot keep itself from your files",
              "use Linux 5.13 or newer, with landlock among the security modules (lsm=landlock,…)");
    } else {
      good("kernel", fmt::format("Landlock of version {} keeps servers to their folders",
                                 offered.landlock_version));
    }
    if (offered.system_calls_filtered) {
      good("kernel", "seccomp keeps servers to the system calls that they need");
    } else {
      problem("kernel", "there is no seccomp, so a server cannot give up any system call",
              "use a kernel with CONFIG_SECCOMP_FILTER");
    }
    for (const std::string& what : host::left_open(offered)) {
      note("kernel", "code that took a server over could " + what,
           offered.system_calls_filtered ? "a kernel with Landlock keeps it from that"
                                         : "a kernel with seccomp keeps it from that");
    }
  }

  void examine_limits(const Settings& settings) {
    const std::uint64_t wanted = settings.config.sandboxes * mappings_a_sandbox;
    const auto mappings = read_number("/proc/sys/vm/max_map_count");
    if (mappings && *mappings < wanted) {
      note(
          "limits",
          fmt::format("vm.max_map_count is {}; {} sandboxes of large components at once take up to "
                      "{}",
                      *mappings, settings.config.sandboxes, wanted),
          fmt::format("sysctl -w vm.max_map_count={}",
                      std::max<std::uint64_t>(wanted * 2, 262'144)));
    } else if (mappings) {
      good("limits", fmt::format("vm.max_map_count of {} is enough for {} sandboxes", *mappings,
                                 settings.config.sandboxes));
    }
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files_wanted) {
      note("limits",
           fmt::format("a process may open {} files; a busy server wants more", files.rlim_cur),
           fmt::format("ulimit -n {}", files_wanted));
    } else {
      good("limits", fmt::format("a process may open {} files", files.rlim_cur));
    }
  }

  void examine_compiler(const Settings& settings) {
    const auto helper = find_compiler();
    if (!helper) return problem("compiler", helper.error().message(), "install Belljar again");
    constexpr std::string_view smallest = "(module (func (export \"nothing\")))";
    const auto compiled =
        engine::Compiler(*helper, settings.config.compiler).compile(smallest, false);
    if (!compiled) {
      return problem("compiler", "it does not work: " + compiled.error().describe(),
                     "install Belljar again; if it stays, report this line");
    }
    good("compiler", helper->native() + " works");
  }

  void examine_state(const Settings& settings) {
    struct stat status{};
    if (::stat(settings.paths.data.c_str(), &status) == 0 && (status.st_mode & 0077) != 0) {
      problem("state", settings.paths.data.native() + " may be entered by others",
              "chmod 700 " + shell_word(settings.paths.data.native()));
    }
    const SystemClock clock;
    const auto state = store::State::open(settings.paths, clock);
    if (!state)
      return problem("state", state.error().describe(), "belljar restore, or move it away");
    good("state", settings.paths.data.native() + " can be used");
    examine_log(settings.paths.data);
    engine::Compiler compiler{{}};
    artifact::Loader::Options loading;
    loading.cache = settings.paths.cache;
    const artifact::Loader loader(std::move(loading), compiler, (*state)->mac_key(), clock);
    examine_cache(settings, loader);
    const store::Secrets secrets(**state, settings.config.secret_key);
    examine_components(settings, **state, secrets, loader);
  }

  /// Without room for the log nothing that has to be recorded is done.
  void examine_log(const std::filesystem::path& data) {
    constexpr Bytes scarce{64 << 20};
    std::uint64_t size = 0;
    std::error_code error;
    for (const char* const part : {"audit.db", "audit.db-wal"}) {
      const auto bytes = std::filesystem::file_size(data / part, error);
      if (!error) size += bytes;
    }
    const auto space = std::filesystem::space(data, error);
    if (error) return problem("log", data.native() + ": " + error.message(), {});
    const std::string text =
        fmt::format("{} takes {}, and {} are free on its disk", (data / "audit.db").native(),
                    format_bytes(Bytes{size}), format_bytes(Bytes{space.available}));
    if (space.available >= scarce.value) return good("log", text);
    problem("log",
            text +
                "; when it is full, tools are refused until there is room, because what they do "
                "could not be recorded",
            "free space on the disk that holds " + shell_word(data.native()));
  }

  void examine_cache(const Settings& settings, const artifact::Loader& loader) {
    const auto health = loader.cache().check();
    if (health.bad > 0) {
      problem("cache",
              fmt::format("{} of {} entries of compiled code are damaged; they are not used",
                          health.bad, health.entries),
              "rm -r " + shell_word((settings.paths.cache / "code").native()));
    } else {
      good("cache", fmt::format("{} components are kept compiled ({})", health.entries,
                                format_bytes(health.size)));
    }
  }

  void examine_components(const Settings& settings, store::State& state,
                          const store::Secrets& secrets, const artifact::Loader& loader) {
    const auto components = store::Components(state).list();
    if (!components) return problem("components", components.error().describe(), {});
    for (const store::StoredComponent& component : *components) {
      const auto digest = loader.digest(component.reference);
      if (!digest) {
        problem("components", fmt::format("{}: {}", component.name, digest.error().describe()),
                fmt::format("put the file back, or: belljar unload {}", component.name));
      } else if (*digest != component.digest) {
        problem("components",
                fmt::format("{}: {} has changed since it was loaded, so servers hold it back",
                            component.name, component.reference),
                fmt::format("belljar upgrade --dry-run {} shows what is new", component.name));
      } else {
        good("components", component.name + " is what was loaded");
      }
      examine_policy(state, {component.name, component.digest});
      examine_grants(settings, state, secrets, loader, {component.name, component.digest});
    }
  }

  /// What is granted and cannot be used, as it is.
  void examine_grants(const Settings& settings, store::State& state, const store::Secrets& secrets,
                      const artifact::Loader& loader, const store::ComponentKey& key) {
    const auto effective = store::Grants(state).effective(key, "");
    const auto set = secrets.list();
    const auto bounds = bounds_of(key, settings, loader);
    if (!effective || !set) return;
    if (!bounds) return problem("components", bounds.error().describe(), {});
    for (const policy::Document& document : effective->documents) {
      for (const Hindrance& hindrance : hindrances(document, bounds->sources, *set)) {
        note("grants", fmt::format("{}: {}", key.name, hindrance.problem),
             hindrance.remedy.empty() ? "belljar policy show " + key.name : hindrance.remedy);
      }
    }
  }

  void examine_policy(store::State& state, const store::ComponentKey& key) {
    const auto approved = store::Grants(state).policy(key);
    if (!approved || !*approved) return;
    const store::StoredPolicy& policy = **approved;
    const auto document = policy.document();
    if (!document) return problem("policies", document.error().describe(), {});
    const auto now = read_policy_text(policy.path);
    if (now && *now != policy.text) {
      note("policies",
           fmt::format("{} has changed since it was approved for {}; what was approved holds",
                       policy.path, key.name),
           fmt::format("belljar grant {} --policy {}", key.name, shell_word(policy.path)));
    } else {
      good("policies", fmt::format("{} holds for {}", policy.path, key.name));
    }
  }

  void examine_profiles(const Settings& settings) {
    for (const auto& [name, profile] : settings.config.profiles) {
      for (const auto& [component, file] : profile.policies) {
        const auto policy = read_policy_file(settings.paths.config / file);
        if (!policy) {
          problem("policies", fmt::format("profile {}: {}", name, policy.error().describe()),
                  "belljar policy check FILE");
        }
      }
    }
  }

  const store::GetVariable& variable_;
  std::filesystem::path project_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> examine(const store::GetVariable& variable,
                             const std::filesystem::path& project) {
  return Examination(variable, project).run();
}

}  // namespace belljar::runtime
