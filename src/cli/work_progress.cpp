#include "cli/work_progress.hpp"

#include "cli/output.hpp"

namespace thalweg::cli {

WorkProgress::WorkProgress(const Context& context, std::string name, std::string unit)
    : style_(progress_style(context.quiet, context.json)), name_(std::move(name)), unit_(std::move(unit)) {}

void WorkProgress::operator()(std::int64_t done, std::int64_t total) {
  if (style_ != ProgressStyle::live && style_ != ProgressStyle::lines) return;
  const double since = std::chrono::duration<double>(Clock::now() - shown_).count();
  if (since < (style_ == ProgressStyle::live ? 0.2 : 10.0)) return;
  shown_ = Clock::now();
  const double seconds = std::chrono::duration<double>(shown_ - began_).count();
  const double left = seconds / static_cast<double>(done) * static_cast<double>(total - done);
  const std::string text = fmt::format("{}: {} of {} {}, {} left at most", name_, with_commas(done), with_commas(total),
                                       unit_, duration_text(left));
  if (style_ == ProgressStyle::lines) return say("{}\n", text);
  say("\r\x1b[K{}", std::string_view(text));
  live_ = true;
}

void WorkProgress::finish() {
  if (live_) say(std::string_view("\r\x1b[K"));
  live_ = false;
}

}  // namespace thalweg::cli
