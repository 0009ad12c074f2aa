// The border: turns what the generated bindings hand over into the terms of query.h, and the answer
// back. Arguments are ours to free; the bindings free what is returned, with their own allocator.
// So everything is copied, both ways.

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "document.h"
#include "gen/csv_query.h"
#include "query.h"

namespace csv_query {
namespace {

// The largest file that is read, in bytes: with the index of its cells it fits the memory that a
// tool has by default.
constexpr std::size_t kLargestFile = 8 * 1024 * 1024;

struct Unreadable {
  std::string reason;
};

struct TooLarge {};

using FileError = std::variant<Unreadable, TooLarge, Malformed>;

std::expected<std::vector<char>, FileError> read_file(const std::string& path) {
  const auto unreadable = [&](const char* reason) {
    return std::unexpected(Unreadable{path + ": " + reason});
  };
  // A zero byte would cut the path short and open another file than the one that was named.
  if (path.contains('\0')) return unreadable("the path has a zero byte in it");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) {
    return unreadable(errno == ENOTCAPABLE ? "it lies in no folder that this tool may read"
                                           : std::strerror(errno));
  }
  // A folder opens like a file and only fails when it is read, with a reason that helps nobody.
  struct stat status = {};
  if (fstat(fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode)) {
    return unreadable("it is a folder");
  }
  std::vector<char> text;
  std::size_t used = 0;
  while (true) {
    if (used > kLargestFile) return std::unexpected(TooLarge{});
    text.resize(used + 64 * 1024);
    const std::size_t count = std::fread(text.data() + used, 1, text.size() - used, file.get());
    used += count;
    if (count == 0) break;
  }
  if (std::ferror(file.get()) != 0) return unreadable(std::strerror(errno));
  text.resize(used);
  return text;
}

std::expected<Document, FileError> read_document(const std::string& path) {
  auto text = read_file(path);
  if (!text) return std::unexpected(std::move(text).error());
  auto document = Document::parse(*std::move(text));
  if (!document) return std::unexpected(std::move(document).error());
  return *std::move(document);
}

// From the border into C++.

std::string from_border(const csv_query_string_t& text) {
  return {reinterpret_cast<const char*>(text.ptr), text.len};
}

std::optional<std::string> from_border(const csv_query_option_string_t& text) {
  if (!text.is_some) return std::nullopt;
  return from_border(text.val);
}

Filter from_border(const csv_query_filter_t& filter) {
  return {from_border(filter.column), static_cast<Comparison>(filter.comparison),
          from_border(filter.value)};
}

Ordering from_border(const csv_query_ordering_t& ordering) {
  return {from_border(ordering.column), static_cast<Direction>(ordering.direction)};
}

Measure from_border(const csv_query_measure_t& measure) {
  return {static_cast<Operation>(measure.operation), from_border(measure.column)};
}

template <typename List>
auto list_from_border(const List& list) {
  std::vector<decltype(from_border(*list.ptr))> values;
  values.reserve(list.len);
  for (const auto& value : std::span(list.ptr, list.len)) values.push_back(from_border(value));
  return values;
}

// Turns an argument into C++ and frees it.
template <typename List, typename Free>
auto take_list(List* argument, Free free_list) {
  auto values = list_from_border(*argument);
  free_list(argument);
  return values;
}

std::string take(csv_query_string_t* argument) {
  std::string text = from_border(*argument);
  csv_query_string_free(argument);
  return text;
}

auto take(csv_query_list_string_t* argument) {
  return take_list(argument, csv_query_list_string_free);
}

auto take(csv_query_list_filter_t* argument) {
  return take_list(argument, csv_query_list_filter_free);
}

auto take(csv_query_list_ordering_t* argument) {
  return take_list(argument, csv_query_list_ordering_free);
}

auto take(csv_query_list_measure_t* argument) {
  return take_list(argument, csv_query_list_measure_free);
}

// From C++ to the border.

csv_query_string_t to_border(std::string_view text) {
  csv_query_string_t copy;
  csv_query_string_dup_n(&copy, text.data(), text.size());
  return copy;
}

csv_query_column_t to_border(const Column& column) {
  csv_query_column_t copy = {};
  copy.name = to_border(column.name);
  copy.column_type = static_cast<csv_query_column_type_t>(column.type);
  copy.example.is_some = column.example.has_value();
  if (column.example) copy.example.val = to_border(*column.example);
  return copy;
}

csv_query_list_string_t to_border(const std::vector<std::string>& texts);

// Copies values into memory of the border's own allocator, which frees it after the call.
template <typename List, typename Values>
List list_to_border(const Values& values) {
  using Element = std::remove_pointer_t<decltype(List::ptr)>;
  List list = {nullptr, values.size()};
  if (values.empty()) return list;
  list.ptr = static_cast<Element*>(std::calloc(values.size(), sizeof(Element)));
  if (list.ptr == nullptr) std::abort();
  for (std::size_t i = 0; i < values.size(); ++i) list.ptr[i] = to_border(values[i]);
  return list;
}

csv_query_list_string_t to_border(const std::vector<std::string>& texts) {
  return list_to_border<csv_query_list_string_t>(texts);
}

csv_query_table_t to_border(const Table& table) {
  return {to_border(table.columns), list_to_border<csv_query_list_list_string_t>(table.rows),
          table.matched};
}

// Writes an error into the border's variant: one overload for each way to fail.
struct ErrorWriter {
  csv_query_query_error_t& error;

  void operator()(const Unreadable& unreadable) const {
    error.tag = CSV_QUERY_QUERY_ERROR_UNREADABLE;
    error.val.unreadable = to_border(unreadable.reason);
  }
  void operator()(const TooLarge&) const {
    error.tag = CSV_QUERY_QUERY_ERROR_TOO_LARGE;
    error.val.too_large = kLargestFile;
  }
  void operator()(const Malformed& malformed) const {
    error.tag = CSV_QUERY_QUERY_ERROR_MALFORMED;
    error.val.malformed = {malformed.line, to_border(malformed.reason)};
  }
  void operator()(const UnknownColumn& unknown) const {
    error.tag = CSV_QUERY_QUERY_ERROR_UNKNOWN_COLUMN;
    error.val.unknown_column = {to_border(unknown.name), to_border(unknown.available)};
  }
  void operator()(const NotANumber& value) const {
    error.tag = CSV_QUERY_QUERY_ERROR_NOT_NUMERIC;
    error.val.not_numeric = {to_border(value.column), value.line, to_border(value.value)};
  }
  void operator()(const InvalidQuestion& question) const {
    error.tag = CSV_QUERY_QUERY_ERROR_INVALID_QUESTION;
    error.val.invalid_question = to_border(question.reason);
  }
};

template <typename Error>
bool fail(const Error& error, csv_query_query_error_t* out) {
  std::visit(ErrorWriter{*out}, error);
  return false;
}

// Writes the table or the error; true where there is a table.
bool finish(const Answer<Table>& answer, csv_query_table_t* table, csv_query_query_error_t* error) {
  if (!answer) return fail(answer.error(), error);
  *table = to_border(*answer);
  return true;
}

}  // namespace
}  // namespace csv_query

bool exports_csv_query_columns(csv_query_string_t* file, csv_query_list_column_t* ret,
                               csv_query_query_error_t* err) {
  using namespace csv_query;
  const auto document = read_document(take(file));
  if (!document) return fail(document.error(), err);
  *ret = list_to_border<csv_query_list_column_t>(describe_columns(*document));
  return true;
}

bool exports_csv_query_select(csv_query_string_t* file, csv_query_list_string_t* columns,
                              csv_query_list_filter_t* filters, csv_query_list_ordering_t* order_by,
                              uint32_t* maybe_limit, csv_query_table_t* ret,
                              csv_query_query_error_t* err) {
  using namespace csv_query;
  const auto wanted = take(columns);
  const auto conditions = take(filters);
  const auto orderings = take(order_by);
  const std::uint32_t limit = maybe_limit != nullptr ? *maybe_limit : kDefaultLimit;
  const auto document = read_document(take(file));
  if (!document) return fail(document.error(), err);
  return finish(select(*document, wanted, conditions, orderings, limit), ret, err);
}

bool exports_csv_query_aggregate(csv_query_string_t* file, csv_query_list_string_t* group_by,
                                 csv_query_list_measure_t* measures,
                                 csv_query_list_filter_t* filters, csv_query_table_t* ret,
                                 csv_query_query_error_t* err) {
  using namespace csv_query;
  const auto groups = take(group_by);
  const auto wanted = take(measures);
  const auto conditions = take(filters);
  const auto document = read_document(take(file));
  if (!document) return fail(document.error(), err);
  return finish(aggregate(*document, groups, wanted, conditions), ret, err);
}

// The bindings ask for this symbol so that the linker keeps an object file with the types of the
// component. Here the build writes the types into the module instead (wasm-tools component embed),
// and no binary file has to be kept in the tree.
extern "C" void __component_type_object_force_link_csv_query() {}
