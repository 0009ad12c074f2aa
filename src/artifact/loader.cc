#include "artifact/loader.h"

#include <utility>

#include "support/result.h"

namespace belljar::artifact {

/// An open file with its digest, and its contents where they had to be read.
struct Loader::Source {
  UniqueFd file;
  FileIdentity identity;
  std::string digest;
  std::optional<std::string> contents;
};

Loader::Loader(Options options, const engine::Compiler& compiler, const MacKey& key,
               const Clock& clock)
    : options_(std::move(options)),
      compiler_(compiler),
      sources_(options_.cache / "sources", key, clock),
      codes_(options_.cache / "code", key) {
  static_cast<void>(make_private_directory(options_.cache / "sources"));
}

Result<Loader::Source> Loader::open(const std::filesystem::path& path) const {
  Source source;
  auto file = options_.open_file(path);
  if (!file) {
    // Whatever keeps the file from being opened keeps the component from being loaded.
    return fail(ErrorCode::load_failed, "{}", file.error().describe());
  }
  source.file = *std::move(file);
  BELLJAR_TRY(source.identity, identify(source.file.get()));
  if (const auto known = sources_.find(source.identity)) {
    source.digest = *known;
    return source;
  }
  if (source.identity.size > options_.file_limit.value) {
    return fail(ErrorCode::load_failed, "{}: larger than the {} that are read", path.native(),
                format_bytes(options_.file_limit));
  }
  BELLJAR_TRY(source.contents,
              in_context(read_all(source.file.get(), options_.file_limit), path.native()));
  source.digest = to_hex(sha256(*source.contents));
  sources_.remember(source.identity, source.digest);
  return source;
}

Result<std::string> Loader::fingerprint(bool fuel) const {
  const std::lock_guard lock(mutex_);
  const auto known = fingerprints_.find(fuel);
  if (known != fingerprints_.end()) return known->second;
  BELLJAR_TRY(std::string fresh, engine::engine_fingerprint(fuel));
  return fingerprints_.emplace(fuel, std::move(fresh)).first->second;
}

Result<std::string> Loader::digest(const std::filesystem::path& path) const {
  BELLJAR_TRY(Source source, open(path));
  return std::move(source.digest);
}

Result<Artifact> Loader::load(const std::filesystem::path& path, bool fuel,
                              const std::stop_token& stop,
                              const engine::Compiler::Progress& progress) const {
  BELLJAR_TRY(Source source, open(path));
  BELLJAR_TRY(const std::string fingerprint, this->fingerprint(fuel));
  auto cached = codes_.find(source.digest, fingerprint);
  if (!cached) {
    if (!source.contents) {
      BELLJAR_TRY(source.contents,
                  in_context(read_all(source.file.get(), options_.file_limit), path.native()));
      // The digest that was remembered is of the file as it was; what is compiled is what is read.
      source.digest = to_hex(sha256(*source.contents));
    }
    BELLJAR_TRY(
        const auto compiled,
        in_context(compiler_.compile(*source.contents, fuel, stop, progress), path.native()));
    BELLJAR_TRY(cached, codes_.add(source.digest, fingerprint, compiled));
    codes_.trim(options_.cache_limit);
  }
  Artifact artifact;
  artifact.path = path;
  artifact.digest = std::move(source.digest);
  artifact.size = Bytes{source.identity.size};
  BELLJAR_TRY(artifact.description,
              in_context(engine::parse_description(cached->description), path.native()));
  artifact.code = *std::move(cached);
  return artifact;
}

std::optional<engine::Description> Loader::find_description(const std::string& digest) const {
  const auto fingerprint = this->fingerprint(false);
  if (!fingerprint) return std::nullopt;
  const auto cached = codes_.find(digest, *fingerprint);
  if (!cached) return std::nullopt;
  auto description = engine::parse_description(cached->description);
  if (!description) return std::nullopt;
  return *std::move(description);
}

}  // namespace belljar::artifact
