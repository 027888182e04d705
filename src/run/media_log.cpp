#include "run/media_log.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/nesting.hpp"
#include "core/whole_number.hpp"
#include "store/atomic_file.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

using Json = nlohmann::ordered_json;
using Kind = Medium::Kind;

constexpr std::pair<Kind, const char*> kinds[] = {
    {Kind::pictures, "pictures"}, {Kind::sound, "sound"}, {Kind::text, "text"}, {Kind::table, "table"}};

std::string bytes_of(const fs::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

}  // namespace

void MediaLog::add(std::int64_t epoch, std::int64_t step, const NamedMedia& media) {
  std::error_code error;
  fs::create_directories(folder_ / "media", error);
  if (error) fail<IoError>("[run] {}: {}", (folder_ / "media").string(), error.message());
  if (step != std::exchange(step_, step)) number_ = std::ranges::count(entries(), step, &Entry::step);
  std::ofstream lines(index(), std::ios::app);
  for (const auto& [name, medium] : media) {
    const std::string file = fmt::format("media/{:09}-{}{}", step, ++number_, medium.extension());
    write_atomically(folder_ / file, medium.bytes);
    const auto* kind = std::ranges::find(kinds, medium.kind, &std::pair<Kind, const char*>::first);
    const Json line{{"epoch", epoch}, {"step", step}, {"name", name}, {"kind", kind->second}, {"file", file}};
    lines << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
    if (!lines) fail<IoError>("[run] {} cannot be written", index().string());
  }
}

std::vector<MediaLog::Entry> MediaLog::entries() const {
  std::vector<Entry> all;
  if (!fs::is_regular_file(index())) return all;
  std::ifstream file(index());
  for (std::string line; std::getline(file, line);) {
    if (!nests_within(line, 2)) continue;
    const Json parsed = Json::parse(line, nullptr, false);
    try {
      all.push_back({line, parsed.at("name"), parsed.at("kind"), parsed.at("file"), whole_number(parsed, "epoch"),
                     whole_number(parsed, "step")});
    } catch (const Json::exception&) {  // a line that was cut off by a crash
    }
  }
  return all;
}

void MediaLog::cut_after(std::int64_t step) {
  if (!fs::exists(index())) return;
  std::string kept;
  for (const Entry& entry : entries()) {
    if (entry.step <= step) kept += entry.line + "\n";
  }
  write_atomically(index(), kept);
  step_ = -1;
}

bool MediaLog::has(const std::string& name, const Medium& medium) const {
  return std::ranges::any_of(entries(), [&](const Entry& entry) {
    const auto* kind = std::ranges::find(kinds, medium.kind, &std::pair<Kind, const char*>::first);
    return entry.name == name && entry.kind == kind->second && bytes_of(file_of(entry)) == medium.bytes;
  });
}

std::vector<MediaSeries> MediaLog::series() const {
  std::vector<MediaSeries> all;
  for (const Entry& entry : entries()) {
    const auto* kind = std::ranges::find(kinds, entry.kind, &std::pair<Kind, const char*>::second);
    const fs::path file = file_of(entry);
    if (kind == std::end(kinds) || !fs::is_regular_file(file)) continue;
    auto series = std::ranges::find(all, entry.name, &MediaSeries::name);
    if (series == all.end()) series = all.insert(series, MediaSeries{entry.name, {}});
    series->moments.push_back({entry.epoch, entry.step, {kind->first, bytes_of(file)}});
  }
  return all;
}

}  // namespace thalweg
