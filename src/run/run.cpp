#include "run/run.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_error.hpp"
#include "core/nesting.hpp"
#include "core/whole_number.hpp"
#include "store/atomic_file.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

[[noreturn]] void fail_io(const fs::path& path, int error) {
  fail<IoError>("[run] {}: {}. Wanted: a place that can be written. Hint: --out FOLDER puts a run elsewhere.",
                path.string(), std::strerror(error));
}

fs::path numbered(const fs::path& wanted, int number) {
  return number == 1 ? wanted : fs::path(wanted.string() + "-" + std::to_string(number));
}

/// The descriptor of a lock, which is held until the descriptor is closed; -1 if another process holds the lock.
int try_lock(const fs::path& folder) {
  const fs::path file = folder / ".lock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail_io(file, errno);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

[[noreturn]] void refuse_live(const fs::path& folder) {
  fail<UsageError>("[run] {} is in use by another process. Hint: --out gives this run a folder of its own.",
                   folder.string());
}

bool is_live(const fs::path& folder) {
  if (!fs::exists(folder / ".lock")) return false;
  const int lock = try_lock(folder);
  if (lock >= 0) ::close(lock);
  return lock < 0;
}

}  // namespace

RunFolder::RunFolder(fs::path path) : path_(std::move(path)), lock_(try_lock(path_)) {
  if (lock_ < 0) refuse_live(path_);
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      latest_before_(std::move(other.latest_before_)) {}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

namespace {

/// The folder without a trailing slash. `.`, `..` and the root, which exist already, are replaced by their names,
/// because runs are numbered and linked by name. Throws UsageError if one of these is not empty.
fs::path named(const fs::path& folder) {
  fs::path path = folder.has_filename() ? folder : folder.parent_path();
  if (path.has_filename() && path.filename() != "." && path.filename() != "..") return path;
  std::error_code error;
  path = fs::canonical(path, error);
  const bool empty = !error && fs::is_empty(path, error);
  if (error) fail_io(folder, error.value());
  if (!empty)
    fail<UsageError>("[run] {} is not empty. Hint: --out NAME gives this run a folder of its own.", folder.string());
  return path;
}

}  // namespace

RunFolder RunFolder::create(const fs::path& asked) {
  const fs::path wanted = named(asked);
  std::error_code error;
  const fs::path parent = wanted.has_parent_path() ? wanted.parent_path() : ".";
  fs::create_directories(parent, error);
  if (error) fail_io(parent, error.value());
  if (is_live(wanted)) refuse_live(wanted);
  for (int number = 1;; ++number) {
    const fs::path path = numbered(wanted, number);
    const bool empty = fs::is_directory(path, error) && fs::is_empty(path, error);
    if (!empty && !fs::create_directory(path, error)) {
      if (error) fail_io(path, error.value());
      continue;  // the folder exists: try the next name
    }
    RunFolder folder(path);
    fs::create_directory(folder.checkpoints(), error);
    if (error) fail_io(folder.checkpoints(), error.value());
    folder.name_latest();
    return folder;
  }
}

RunFolder RunFolder::open(const fs::path& path) {
  if (!fs::is_directory(path)) fail<UsageError>("[run] there is no folder {}", path.string());
  return RunFolder(path);
}

std::optional<fs::path> RunFolder::newest_unfinished(const fs::path& wanted) {
  std::optional<fs::path> found;
  for (int number = 1; fs::exists(numbered(wanted, number)); ++number) {
    const fs::path path = numbered(wanted, number);
    if (fs::exists(path / "config.toml") && !finished(path)) found = path;
  }
  return found;
}

bool RunFolder::finished(const fs::path& path) {
  if (fs::exists(path / "model.safetensors")) return true;
  if (fs::exists(path / "folds.json")) return true;                                // a cross-validation
  return fs::exists(path / "report.html") && !fs::exists(path / "metrics.jsonl");  // variants
}

void expect_model(const fs::path& path) {
  if (!RunFolder::finished(path) || fs::exists(path / "model.safetensors")) return;
  if (fs::exists(path / "folds.json")) {
    fail<UsageError>(
        "[model] {} holds the figures of a cross-validation, but no model. Hint: thalweg train without --cv makes one.",
        path.string());
  }
  fail<UsageError>("[model] {} holds the runs of variants. Hint: name one of the folders in it.", path.string());
}

fs::path model_file(const fs::path& path) {
  return looking_at_files([&] {
    if (!fs::is_directory(path)) return path;
    expect_model(path);
    if (RunFolder::finished(path)) return path / "model.safetensors";
    if (!fs::exists(path / "config.toml")) fail<UsageError>("[model] {} is not a run folder", path.string());
    fail<ModelError>("[model] {} has not finished. Hint: {}", path.string(), way_on(path));
  });
}

std::string way_on(const fs::path& path) {
  std::error_code none;
  const fs::path saved = path / "checkpoints";
  if (!fs::is_directory(saved, none) || fs::is_empty(saved, none))
    return "it ended before its first checkpoint: train again, without --resume.";
  return fmt::format("thalweg train {} --resume", shell_quoted(path.string()));
}

namespace {

/// Sets the link `latest`, if links are supported. Returns its previous target.
fs::path name_latest(const fs::path& folder, const fs::path& target) {
  std::error_code ignored;
  const fs::path link = folder / "latest", fresh = folder / ".latest.new";
  if (fs::exists(link, ignored) && !fs::is_symlink(link, ignored)) return {};
  const fs::path before = fs::read_symlink(link, ignored);
  fs::remove(fresh, ignored);
  fs::create_directory_symlink(target, fresh, ignored);
  fs::rename(fresh, link, ignored);
  return before;
}

}  // namespace

void RunFolder::name_latest() { latest_before_ = thalweg::name_latest(path_.parent_path(), path_.filename()); }

void RunFolder::discard() && {
  std::error_code ignored;
  const fs::path link = path_.parent_path() / "latest";
  if (fs::is_symlink(link, ignored) && fs::read_symlink(link, ignored) == path_.filename()) {
    fs::remove(link, ignored);
    if (!latest_before_.empty()) thalweg::name_latest(path_.parent_path(), latest_before_);
  }
  fs::remove_all(path_, ignored);
}

namespace {
/// Opened to append to it. A pipe would wait for a reader.
std::ofstream log_at(const fs::path& path) {
  std::error_code none;
  if (const auto there = fs::status(path, none); fs::exists(there) && !fs::is_regular_file(there))
    fail<UsageError>("[run] {} is not a plain file", path.string());
  return std::ofstream(path, std::ios::app);
}
}  // namespace

MetricsLog::MetricsLog(fs::path path) : path_(std::move(path)), file_(log_at(path_)) {
  if (!file_) fail_io(path_, errno);
}

void MetricsLog::add_line(const std::string& line) {
  file_ << line << '\n' << std::flush;
  if (!file_) fail_io(path_, errno);
}

namespace {

using Json = nlohmann::ordered_json;

double number_or_nan(const Json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

/// The norm of a layer's gradient as JSON: null for an objective that had no turn in this step, "inf" for a gradient
/// that is not finite.
Json norm_json(double norm) { return std::isinf(norm) ? Json("inf") : Json(norm); }
double norm_of(const Json& value) {
  return value == "inf" ? std::numeric_limits<double>::infinity() : number_or_nan(value);
}

/// A whole number of at least 0; for anything else throws a json exception, as for a missing key.
std::int64_t count_in(const Json& line, const char* key) { return whole_number(line, key, 0, std::int64_t{1} << 62); }

StepReport step_from(const Json& line, std::vector<std::string>& layers) {
  StepReport report{.step = count_in(line, "step"),
                    .total_steps = count_in(line, "total_steps"),
                    .epoch = count_in(line, "epoch"),
                    .loss = number_or_nan(line.at("loss")),
                    .gradient_norm = number_or_nan(line.at("gradient_norm")),
                    .lr = number_or_nan(line.at("lr")),
                    .samples = count_in(line, "samples")};
  if (const auto reported = line.find("reported"); reported != line.end()) {
    for (const auto& [name, value] : reported->items()) report.metrics.emplace_back(name, number_or_nan(value));
  }
  const auto norms = line.find("layer_norms");
  if (norms == line.end()) return report;
  std::vector<std::string> named;
  for (const auto& [layer, norm] : norms->items()) {
    named.push_back(layer);
    report.layer_norms.push_back(norm_of(norm));
  }
  if (layers.empty()) layers = named;
  if (layers != named) report.layer_norms.clear();  // the norms are of other layers than those in the first line
  return report;
}

EpochReport epoch_from(const Json& line) {
  EpochReport report;
  report.epoch = count_in(line, "epoch");
  report.step = count_in(line, "step");
  report.seconds = number_or_nan(line.at("seconds"));
  report.best = line.at("best");
  for (const auto& [name, value] : line.at("metrics").items()) report.metrics.emplace_back(name, number_or_nan(value));
  return report;
}

RateHistogram rates_from(const Json& value) {
  RateHistogram rates{.unmoved = count_in(value, "unmoved")};
  constexpr std::int64_t most = 10'000;  // no number has such a bin
  int bin = static_cast<int>(whole_number(value, "first", -most, most));
  const Json& counts = value.at("counts");
  for (std::size_t i = 0; i < counts.size(); ++i, ++bin) {
    if (const std::int64_t count = whole_number(counts, i, 0); count > 0) rates.bins[bin] = count;
  }
  return rates;
}

/// Every bin from the first to the last that is not empty.
Json rates_json(const RateHistogram& rates) {
  const int first = rates.bins.empty() ? 0 : rates.bins.begin()->first;
  Json counts = Json::array();
  for (const auto& [bin, count] : rates.bins) {
    while (first + static_cast<int>(counts.size()) < bin) counts.push_back(0);
    counts.push_back(count);
  }
  return {{"first", first}, {"counts", counts}, {"unmoved", rates.unmoved}};
}

Look look_from(const Json& line) {
  const Json& found = line.at("look");
  Look look{.step = count_in(line, "step"),
            .epoch = count_in(line, "epoch"),
            .lr = number_or_nan(found.at("lr")),
            .batch_size = count_in(found, "batch_size"),
            .signal = number_or_nan(found.at("signal")),
            .noise = number_or_nan(found.at("noise"))};
  if (const auto largest = found.find("largest"); largest != found.end())
    look.largest = Look::Sharpness{number_or_nan(largest->at("value")), number_or_nan(largest->at("error"))};
  for (const auto& [name, layer] : found.at("layers").items())
    look.layers.push_back({name, number_or_nan(layer.at("update")), rates_from(layer.at("rates"))});
  return look;
}

/// The time of the run in a line; 0 if the line has none.
double seconds_in(const Json& line) {
  const auto seconds = line.find("seconds");
  return seconds != line.end() && seconds->is_number() ? seconds->get<double>() : 0;
}
Json time_line(std::int64_t step, double seconds) { return {{"step", step}, {"seconds", seconds}}; }
bool says_time_alone(const Json& line) { return line.size() == 2 && line.contains("step") && line.contains("seconds"); }

constexpr int deepest =
    7;  // the nesting of a line, its look, the layers, a layer, its rates, their counts, and some reserve

/// Calls `take` with every complete line of a log. Incomplete or damaged lines, as after a crash, are ignored, so that
/// the rest of the run stays readable.
template <class Take>
void for_each_line(const fs::path& path, const Take& take) {
  if (!fs::is_regular_file(path)) return;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!nests_within(line, deepest)) continue;
    const Json parsed = Json::parse(line, nullptr, false);
    if (!parsed.is_object()) continue;
    try {
      take(line, parsed);
    } catch (const Json::exception&) {
    }
  }
}

}  // namespace

void MetricsLog::add(const StepReport& r, const std::vector<std::string>& layers, double seconds) {
  Json line{{"step", r.step},
            {"epoch", r.epoch},
            {"loss", r.loss},
            {"gradient_norm", r.gradient_norm},
            {"lr", r.lr},
            {"samples", r.samples},
            {"total_steps", r.total_steps},
            {"seconds", seconds}};
  for (const auto& [name, value] : r.metrics) line["reported"][name] = value;
  for (std::size_t i = 0; i < r.layer_norms.size(); ++i) line["layer_norms"][layers[i]] = norm_json(r.layer_norms[i]);
  add_line(line.dump());
}

void MetricsLog::add(const EpochReport& r) {
  Json metrics = Json::object();
  for (const auto& [name, value] : r.metrics) metrics[name] = value;
  add_line(Json{{"epoch", r.epoch}, {"step", r.step}, {"seconds", r.seconds}, {"best", r.best}, {"metrics", metrics}}
               .dump());
}

void MetricsLog::add(const Look& l) {
  Json look{{"lr", l.lr}, {"batch_size", l.batch_size}, {"signal", l.signal}, {"noise", l.noise}};
  if (const double scale = noise_scale({&l, 1}).value; scale > 0) look["noise_scale"] = scale;
  if (const double ratio = signal_to_noise({&l, 1}); ratio > 0) look["signal_to_noise"] = ratio;
  if (l.largest) look["largest"] = {{"value", l.largest->value}, {"error", l.largest->error}};
  look["layers"] = Json::object();
  for (const Look::Layer& layer : l.layers)
    look["layers"][layer.name] = {{"update", layer.update}, {"rates", rates_json(layer.rates)}};
  add_line(Json{{"step", l.step}, {"epoch", l.epoch}, {"look", std::move(look)}}.dump());
}

void MetricsLog::add_time(std::int64_t step, double seconds) { add_line(time_line(step, seconds).dump()); }

void MetricsLog::cut_after(std::int64_t step) {
  std::string kept, last;
  double seconds = 0;
  for_each_line(path_, [&](const std::string& line, const Json& parsed) {
    seconds = std::max(seconds, seconds_in(parsed));
    if (count_in(parsed, "step") > step || says_time_alone(parsed)) return;
    kept += std::exchange(last, line + "\n");
  });
  if (seconds > 0) {
    Json timed = last.empty() ? time_line(step, seconds) : Json::parse(last);
    timed["seconds"] = seconds;
    last = timed.dump() + "\n";
  }
  file_.close();
  write_atomically(path_, kept + last);
  file_.open(path_, std::ios::app);
}

History MetricsLog::history() const {
  History history;
  for_each_line(path_, [&](const std::string&, const Json& line) {
    history.seconds = std::max(history.seconds, seconds_in(line));
    if (line.contains("look") || says_time_alone(line)) return;
    if (line.contains("metrics")) {
      history.epochs.push_back(epoch_from(line));
      if (history.epochs.back().best) history.best_epoch = history.epochs.back().epoch;
    } else {
      history.steps.push_back(step_from(line, history.layers));
    }
  });
  return history;
}

std::vector<Look> MetricsLog::looks() const {
  std::vector<Look> looks;
  for_each_line(path_, [&](const std::string&, const Json& line) {
    if (line.contains("look")) looks.push_back(look_from(line));
  });
  return looks;
}

}  // namespace thalweg
