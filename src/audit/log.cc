#include "audit/log.h"

#include <future>
#include <utility>

#include "support/result.h"

namespace belljar::audit {
namespace {

constexpr std::string_view cannot_be_written =
    "the log cannot be written, and what has to be recorded is not done before it can";

}  // namespace

Error Log::refusal() { return {ErrorCode::storage, std::string(cannot_be_written)}; }

void Log::append_then(std::vector<Record> records, Done done) {
  for (Record& record : records) append(std::move(record));
  when_durable([done = std::move(done)](bool durable) mutable {
    if (durable) return done({});
    done(fail(ErrorCode::storage, "{}", cannot_be_written));
  });
}

Result<void> Log::append_durably(Record record) {
  std::promise<Result<void>> written;
  std::vector<Record> records;
  records.push_back(std::move(record));
  append_then(std::move(records), [&](Result<void> done) { written.set_value(std::move(done)); });
  return written.get_future().get();
}

}  // namespace belljar::audit
