#include "toolbox/waiting_room.h"

#include <utility>

namespace belljar::toolbox {

WaitingRoom::Kept::~Kept() {
  if (text_) used_->fetch_sub(text_->size(), std::memory_order_acq_rel);
}

std::optional<WaitingRoom::Kept> WaitingRoom::keep(std::string_view text) {
  std::uint64_t used = used_->load(std::memory_order_relaxed);
  do {
    if (used > 0 && used + text.size() > most_) return std::nullopt;
  } while (!used_->compare_exchange_weak(used, used + text.size(), std::memory_order_acq_rel));
  return Kept(used_, text);
}

}  // namespace belljar::toolbox
