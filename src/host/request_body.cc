#include "host/request_body.h"

#include <algorithm>
#include <cstring>

namespace belljar::host {

bool RequestBody::provide(std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard lock(mutex_);
  // libcurl sends what it is given: what is beyond the announced length would be the next request
  // of the connection (RFC 9112, 11.2).
  provided_ += bytes.size();
  if (length_ && provided_ > *length_) {
    problem_ = "the request's body is longer than its content-length says";
    return true;
  }
  bytes_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().size() + bytes.size() <= piece) {
    pieces_.back() += bytes;
  } else {
    pieces_.emplace_back(bytes);
  }
  throttled_ = bytes_ >= window;
  return !throttled_;
}

void RequestBody::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  if (length_ && provided_ < *length_) {
    problem_ = "the request's body is shorter than its content-length says";
  }
}

void RequestBody::abort() {
  const std::lock_guard lock(mutex_);
  problem_ = "the request's body was not finished";
}

std::size_t RequestBody::pieces() const {
  const std::lock_guard lock(mutex_);
  return pieces_.size();
}

RequestBody::Portion RequestBody::fill(char* buffer, std::size_t room, bool& last) {
  const std::lock_guard lock(mutex_);
  Portion portion;
  if (!problem_.empty()) {
    portion.problem = problem_;
    return portion;
  }
  while (portion.size < room && !pieces_.empty()) {
    const std::string_view front = std::string_view(pieces_.front()).substr(offset_);
    const std::size_t part = std::min(front.size(), room - portion.size);
    std::memcpy(buffer + portion.size, front.data(), part);
    portion.size += part;
    offset_ += part;
    if (offset_ == pieces_.front().size()) {
      pieces_.pop_front();
      offset_ = 0;
    }
  }
  bytes_ -= portion.size;
  sent_ += portion.size;
  if (throttled_ && bytes_ < window / 2) {
    throttled_ = false;
    portion.wants_more = true;
  }
  portion.wait = portion.size == 0 && !finished_;
  last = pieces_.empty() && (finished_ || sent_ == length_);
  return portion;
}

RequestBody::Portion RequestBody::take(char* buffer, std::size_t room) {
  bool last = false;
  Portion portion = fill(buffer, room, last);
  if (!scanner_ || portion.wait || !portion.problem.empty()) return portion;
  // Before the last of it leaves: a server that has the whole acts on it.
  if (scanner_->look({buffer, portion.size}) || (last && scanner_->finish())) {
    const std::lock_guard lock(mutex_);
    problem_ =
        "the request's body names a method of its own (_method and the like), and not every method "
        "is allowed here";
    return Portion{.problem = problem_};
  }
  return portion;
}

}  // namespace belljar::host
