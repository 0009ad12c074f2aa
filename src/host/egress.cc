#include "host/egress.h"

#include <deque>
#include <map>
#include <set>
#include <utility>

#include "host/curl_library.h"
#include "host/event_loop.h"
#include "host/exchange.h"
#include "host/http_pool.h"
#include "host/resolver.h"
#include "support/file.h"
#include "support/result.h"

namespace belljar::host {
namespace {

/// A pool nobody uses is closed after this long, and its connections with it.
constexpr std::chrono::seconds pool_patience{60};

class CurlEgress;

/// The guest's grip on an exchange.
class Transfer final : public engine::HttpTransfer {
 public:
  Transfer(EventLoop& loop, std::shared_ptr<Exchange> exchange)
      : loop_(loop), exchange_(std::move(exchange)) {}
  ~Transfer() override {
    loop_.post([exchange = std::move(exchange_)] { exchange->cancel(); });
  }
  bool provide(std::string_view bytes) override {
    const bool more = exchange_->body().provide(bytes);
    wake_upload();
    return more;
  }
  void finish() override {
    exchange_->body().finish();
    wake_upload();
  }
  void abort() override {
    exchange_->body().abort();
    wake_upload();
  }
  void resume() override {
    loop_.post([exchange = exchange_] { exchange->resume_download(); });
  }

 private:
  void wake_upload() {
    loop_.post([exchange = exchange_] { exchange->resume_upload(); });
  }

  EventLoop& loop_;
  std::shared_ptr<Exchange> exchange_;
};

/// A lookup whose answer may not be wanted any more.
class PendingLookup final : public engine::Pending {
 public:
  explicit PendingLookup(std::shared_ptr<bool> wanted) : wanted_(std::move(wanted)) {}

 private:
  std::shared_ptr<bool> wanted_;
};

class CurlEgress final : public Egress {
 public:
  CurlEgress(EgressOptions options, TrustStore trust, std::unique_ptr<EventLoop> loop,
             std::unique_ptr<ArrivalMeter> meter)
      : options_(std::move(options)),
        trust_(std::move(trust)),
        loop_(std::move(loop)),
        meter_(std::move(meter)) {
    loop_->start("belljar-egress");
    loop_->run([this] {
      resolver_ = std::make_unique<Resolver>(*loop_, options_.name_servers, options_.name_timeout);
    });
  }

  ~CurlEgress() override {
    // What lives on the loop ends on the loop.
    loop_->run([this] {
      for (auto& [name, lane] : lanes_) {
        for (const auto& exchange : std::exchange(lane->waiting, {})) exchange->cancel();
      }
      for (const auto& exchange : std::set(active_)) exchange->cancel();
      active_.clear();
      lanes_.clear();
      resolver_.reset();
    });
    loop_->stop();
  }

  std::unique_ptr<engine::HttpTransfer> send(EgressRequest request,
                                             std::shared_ptr<EgressPrincipal> principal,
                                             std::unique_ptr<engine::HttpSink> sink) override {
    const std::size_t most = principal->limits().requests;
    auto exchange = std::make_shared<Exchange>(
        ExchangeContext{*loop_, *resolver_, options_, trust_, http2_slots_}, std::move(request),
        std::move(principal), std::move(sink));
    loop_->post([this, exchange, most] { admit(exchange, most); });
    return std::make_unique<Transfer>(*loop_, std::move(exchange));
  }

  std::unique_ptr<engine::Pending> lookup(
      const policy::Host& host,
      std::move_only_function<void(Result<std::vector<policy::Address>>)> done) override {
    auto wanted = std::make_shared<bool>(true);
    loop_->post([this, host, weak = std::weak_ptr(wanted), done = std::move(done)]() mutable {
      if (!weak.lock()) return;
      resolver_->lookup(
          host, weak,
          [weak, done = std::move(done)](Result<std::vector<policy::Address>> found) mutable {
            if (weak.lock()) done(std::move(found));
          });
    });
    return std::make_unique<PendingLookup>(std::move(wanted));
  }

 private:
  /// The requests of one pool.
  struct Lane {
    Lane(const CurlLibrary& library, EventLoop& loop, ArrivalMeter& meter)
        : pool(library, loop, meter) {}
    HttpPool pool;
    std::size_t running = 0;
    std::size_t most = 1;
    std::deque<std::shared_ptr<Exchange>> waiting;
    EventLoop::TimerId closing = 0;
  };

  void admit(const std::shared_ptr<Exchange>& exchange, std::size_t most) {
    if (!library_) library_ = std::make_unique<CurlLibrary>();
    if (const auto opened = library_->opened(); !opened) {
      exchange->fail(engine::HttpFailure::internal, opened.error().message());
      return;
    }
    auto& lane = lanes_[exchange->pool_name()];
    if (!lane) lane = std::make_unique<Lane>(*library_, *loop_, *meter_);
    if (lane->closing != 0) loop_->cancel(std::exchange(lane->closing, 0));
    lane->most = most;
    // A tool that asks for thousands at once takes no other's place.
    if (queued_ >= options_.waiting || lane->waiting.size() >= options_.waiting_of_one) {
      exchange->fail(engine::HttpFailure::internal,
                     "too many requests are waiting; try again later");
      return;
    }
    lane->waiting.push_back(exchange);
    ++queued_;
    start_waiting(*lane);
  }

  void start_waiting(Lane& lane) {
    while (!lane.waiting.empty() && lane.running < lane.most &&
           active_.size() < options_.concurrency) {
      const auto exchange = std::move(lane.waiting.front());
      lane.waiting.pop_front();
      --queued_;
      ++lane.running;
      active_.insert(exchange);
      exchange->begin(lane.pool, [this, &lane, raw = exchange.get()] { ended(lane, raw); });
    }
  }

  /// Called from within the exchange, so what follows waits for the loop's next turn.
  void ended(Lane& lane, Exchange* exchange) {
    --lane.running;
    loop_->post([this, held = exchange->shared_from_this()] {
      active_.erase(held);
      for (auto& [name, any] : lanes_) start_waiting(*any);
      const auto own = lanes_.find(held->pool_name());
      if (own == lanes_.end() || own->second->running > 0 || !own->second->waiting.empty() ||
          own->second->closing != 0) {
        return;
      }
      own->second->closing = loop_->at(EventLoop::Clock::now() + pool_patience,
                                       [this, name = own->first] { lanes_.erase(name); });
    });
  }

  EgressOptions options_;
  TrustStore trust_;
  /// Made by the loop, with the first request. Outlives the loop and all that waits there.
  std::unique_ptr<CurlLibrary> library_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ArrivalMeter> meter_;
  // Only the loop touches what follows.
  std::unique_ptr<Resolver> resolver_;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;
  std::set<std::shared_ptr<Exchange>> active_;
  std::size_t queued_ = 0;
  std::size_t http2_slots_ = options_.http2_exchanges;
};

}  // namespace

Result<std::unique_ptr<Egress>> make_egress(const EgressOptions& options) {
  BELLJAR_TRY(auto loop, EventLoop::make());
  BELLJAR_TRY(auto meter, ArrivalMeter::make());
  return std::make_unique<CurlEgress>(options, TrustStore{options.certificates}, std::move(loop),
                                      std::move(meter));
}

}  // namespace belljar::host
