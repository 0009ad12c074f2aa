// How frames travel. Two ways: standard streams here, HTTP later.
#pragma once

#include <string>
#include <string_view>

namespace belljar::mcp {

/// Takes outgoing frames. Any thread; never blocks on a peer that does not read.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// Sends one frame: a JSON text without line breaks. False once the peer is gone.
  virtual bool send(std::string frame) = 0;
};

/// Takes incoming frames, one at a time, on the thread that reads them.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  /// One frame. Behind its end lie at least 64 readable bytes, for a parser that looks ahead.
  virtual void on_frame(std::string_view frame) = 0;
  /// A frame that was longer than the limit and was skipped.
  virtual void on_oversized_frame() = 0;
  /// The peer will send nothing more.
  virtual void on_end() = 0;
};

}  // namespace belljar::mcp
