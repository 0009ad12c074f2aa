#include "runtime/launch.h"

#include <cstdlib>
#include <utility>

#include "engine/compiler_keeper.h"
#include "engine/engine.h"
#include "engine/library.h"
#include "host/confinement.h"
#include "store/pinned_places.h"
#include "support/crypto.h"
#include "support/file.h"
#include "support/result.h"
#include "support/trusted_file.h"

namespace belljar::runtime {
namespace {

constexpr Bytes policy_limit{256 * 1024};

host::ConfinementRules confinement_rules(const Settings& settings) {
  host::ConfinementRules rules;
  rules.writable = {settings.paths.data, settings.paths.cache, settings.paths.run};
  rules.readable = host::usual_readable_paths();
  rules.readable.push_back(settings.paths.config);
  if (!settings.config.egress.certificates.empty()) {
    rules.readable.emplace_back(settings.config.egress.certificates);
  }
  rules.readable.push_back(engine::engine_library());
  rules.keyring = settings.config.secret_key == store::SecretKeyPlace::keyring;
  return rules;
}

/// What a server that was taken over could do here, for whoever started it.
std::string warning_of(const host::Confinement& confinement) {
  if (host::left_open(confinement).empty()) return {};
  const bool files = confinement.landlock_version > 0;
  return fmt::format("this process is not confined by {}: belljar doctor says what that means",
                     files                               ? "seccomp"
                     : confinement.system_calls_filtered ? "Landlock"
                                                         : "Landlock and seccomp");
}

}  // namespace

Result<Settings> read_settings(const store::GetVariable& variable) {
  Settings settings;
  BELLJAR_TRY(settings.paths, store::find_paths(variable));
  BELLJAR_TRY(settings.config, read_config(settings.paths.config / "belljar.toml"));
  BELLJAR_TRY(settings.ceilings, read_ceilings(settings.config));
  return settings;
}

Result<std::vector<policy::Document>> read_ceilings(const Config& config) {
  std::vector<policy::Document> ceilings;
  if (config.ceiling) {
    BELLJAR_TRY(ceilings.emplace_back(),
                in_context(read_policy_file(*config.ceiling), "the ceiling"));
  }
  return ceilings;
}

Result<std::string> read_policy_text(const std::filesystem::path& path) {
  auto text = read_trusted_file(path, "policy", policy_limit);
  // Whoever names a policy means one that is there.
  if (!text) return fail(ErrorCode::invalid_policy, "{}", text.error().describe());
  return text;
}

Result<policy::Document> read_policy_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error).lexically_normal();
  BELLJAR_TRY(const std::string text, read_policy_text(absolute));
  BELLJAR_TRY(auto given, store::read_given_policy(text, path.native(), absolute.parent_path()));
  return std::move(given.document);
}

Result<Launched> launch(const Settings& settings, LaunchOptions options) {
  // With RUST_BACKTRACE set, the engine would walk the stack for each error that it makes, of which
  // some are made and dropped in every call; nobody is shown those walks.
  ::setenv("RUST_LIB_BACKTRACE", "0", 1);
  BELLJAR_TRY(const auto compiler, find_compiler());
  // Landlock binds to folders that exist.
  for (const auto& folder : {settings.paths.data, settings.paths.cache, settings.paths.run}) {
    BELLJAR_CHECK(make_private_directory(folder));
  }
  const std::string session = to_hex(random_bytes<8>());
  std::unique_ptr<engine::CompilerKeeper> keeper;
  std::unique_ptr<host::Opener> opener;
  Launched launched;
  if (options.confine) {
    host::OpenerAuthority authority;
    authority.paths = settings.paths;
    authority.session = session;
    for (const auto& [name, grants] : options.grants) authority.granted[name] = grants.documents;
    authority.ceilings = settings.ceilings;
    authority.files = std::move(options.files);
    // Before anything is started for a process that cannot be confined.
    BELLJAR_CHECK(host::check_streams());
    BELLJAR_TRY(keeper, engine::CompilerKeeper::start(compiler, settings.config.compiler));
    BELLJAR_TRY(opener, host::Opener::start(std::move(authority)));
    engine::open_page_map();
    BELLJAR_TRY(const auto confinement, host::confine(confinement_rules(settings)));
    launched.warning = warning_of(confinement);
  }
  BELLJAR_TRY(launched.core, Core::create({.paths = settings.paths,
                                           .config = settings.config,
                                           .compiler = compiler,
                                           .compilers = std::move(keeper),
                                           .capabilities = {},
                                           .ceilings = settings.ceilings,
                                           .session = session,
                                           .role = std::move(options.role),
                                           .opener = std::move(opener),
                                           .calls = options.calls}));
  return launched;
}

}  // namespace belljar::runtime
