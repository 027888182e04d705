#include "store/checkpoint.hpp"

#include <fcntl.h>
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
#include "core/nesting.hpp"
#include "core/whole_number.hpp"
#include "data/file.hpp"
#include "data/repeated_key.hpp"
#include "options/text.hpp"
#include "store/atomic_file.hpp"
#include "store/checksum.hpp"
#include "store/safetensors.hpp"

namespace thalweg {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view prefix = "step-";
constexpr const char* collection_file = "collection.safetensors";
constexpr std::string_view under_way = ".tmp";  // suffix of the name of a checkpoint that is still being written
constexpr std::int64_t newest_format = 2;
constexpr std::int64_t largest_manifest = 64 << 20;
constexpr int deepest = 8;  // levels of nesting in a manifest; the sizes of a shape are the fifth
constexpr std::int64_t most = most_whole;

std::string read_whole(const fs::path& path) {
  const data::File file(path);
  if (file.size() < 0 || file.size() > largest_manifest)
    fail<ModelError>("[checkpoint] {}: {} bytes", path.string(), file.size());
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

// A collection is stored as a file of tensors: "rows/input", "kept/window", "metric/episode length".

SafetensorsFile file_of(const Collection& collection) {
  SafetensorsFile file;
  for (const auto& [name, column] : collection.rows.columns()) file.tensors.emplace_back("rows/" + name, column);
  for (const auto& [name, tensor] : collection.kept) file.tensors.emplace_back("kept/" + name, tensor);
  for (const auto& [name, value] : collection.metrics)
    file.tensors.emplace_back("metric/" + name, full({1}, value, f64));
  return file;
}

Collection collection_in(const SafetensorsFile& file) {
  Collection collection;
  for (const auto& [path, tensor] : file.tensors) {
    const std::size_t slash = path.find('/');
    const std::string kind = path.substr(0, slash), name = slash == std::string::npos ? "" : path.substr(slash + 1);
    if (kind == "rows") {
      collection.rows.set(name, tensor);
    } else if (kind == "kept") {
      collection.kept.emplace_back(name, tensor);
    } else if (kind == "metric" && tensor.size() == 1) {
      collection.metrics.emplace_back(name, tensor.item());
    } else {
      fail<ModelError>("[checkpoint] '{}' {} is no part of a collection", path, tensor.shape());
    }
  }
  return collection;
}

json entry_json(const ParameterEntry& entry) {
  return {{"name", entry.name},
          {"shape", std::vector(entry.shape.begin(), entry.shape.end())},
          {"frozen", entry.frozen},
          {"statistic", entry.statistic}};
}

/// A number that may be infinite or NaN, which JSON numbers cannot be.
json number_json(double x) { return std::isfinite(x) ? json(x) : json(fmt::format("{}", x)); }

template <class Key>
double number_from(const json& j, const Key& key) {
  const json& value = j.at(key);
  if (value.is_number()) return value;
  const auto number = value.is_string() ? parse_number(value.get_ref<const std::string&>()) : std::nullopt;
  if (!number) fail<ModelError>("[checkpoint] '{}' is {}, no number", key, value.dump());
  return *number;
}

/// A whole number within bounds.
std::int64_t whole_from(const json& j, const char* key, std::int64_t low, std::int64_t high) {
  if (const auto number = as_whole(j.at(key), low, high)) return *number;
  fail<ModelError>("[checkpoint] {} = {}. Wanted: a whole number from {} to {}", key, j.at(key).dump(), low, high);
}

json plateau_json(const PlateauState& plateau) {
  json j = {
      {"bad_checks", plateau.bad_checks}, {"cooldown", plateau.cooldown}, {"factor", number_json(plateau.factor)}};
  if (plateau.best) j["best"] = number_json(*plateau.best);
  return j;
}

PlateauState plateau_from(const json& j) {
  PlateauState plateau;
  plateau.bad_checks = whole_from(j, "bad_checks", 0, most - 1);
  plateau.cooldown = whole_from(j, "cooldown", 0, most);
  plateau.factor = number_from(j, "factor");
  if (j.contains("best")) plateau.best = number_from(j, "best");
  return plateau;
}

json position_json(const RunPosition& p) {
  json j = {{"total_steps", p.total_steps},
            {"epoch_loss", number_json(p.epoch_loss)},
            {"epoch_weight", number_json(p.epoch_weight)},
            {"best_epoch", p.best_epoch},
            {"best_step", p.best_step},
            {"measured_step", p.measured_step},
            {"epochs_recorded", p.epochs_recorded},
            {"plateau", plateau_json(p.plateaus.front())}};
  for (std::size_t i = 1; i < p.plateaus.size(); ++i) j["more_plateaus"].push_back(plateau_json(p.plateaus[i]));
  if (p.first_step > 0) j["first_step"] = p.first_step;
  for (const RunPosition::Running& report : p.reports)
    j["reports"].push_back({report.name, number_json(report.sum), number_json(report.weight)});
  if (p.best_value) j["best_value"] = number_json(*p.best_value);
  return j;
}

RunPosition position_from(const json& j, std::int64_t step) {
  RunPosition p;
  if (j.contains("first_step")) p.first_step = whole_from(j, "first_step", 0, step);
  p.total_steps = whole_from(j, "total_steps", step - p.first_step, most - p.first_step);
  p.epoch_loss = number_from(j, "epoch_loss");
  p.epoch_weight = number_from(j, "epoch_weight");
  p.best_epoch = whole_from(j, "best_epoch", 0, step);
  p.best_step = whole_from(j, "best_step", 0, step);
  // versions before this one measured it in every epoch
  p.measured_step = j.contains("measured_step") ? whole_from(j, "measured_step", 0, step) : step;
  p.epochs_recorded = whole_from(j, "epochs_recorded", 0, step);
  if (j.contains("reports")) {
    for (const json& report : j["reports"])
      p.reports.push_back({report.at(0), number_from(report, 1), number_from(report, 2)});
  }
  if (j.contains("best_value")) p.best_value = number_from(j, "best_value");
  p.plateaus = {plateau_from(j.at("plateau"))};
  if (j.contains("more_plateaus")) {
    for (const json& plateau : j["more_plateaus"]) p.plateaus.push_back(plateau_from(plateau));
  }
  return p;
}

/// The folders of checkpoints with their steps, the newest first.
std::vector<std::pair<std::int64_t, fs::path>> checkpoints_by_step(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    if (const auto step = parse_integer(std::string_view(name).substr(prefix.size())))
      found.emplace_back(*step, entry.path());
  }
  std::ranges::sort(found, std::greater{}, [](const auto& f) { return f.first; });
  return found;
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (auto& [step, path] : checkpoints_by_step(folder)) paths.push_back(std::move(path));
  return paths;
}

/// An undamaged checkpoint of another model or of a later version. It is an error, because skipping it would restart
/// the run from the beginning without notice.
class OtherModel : public ModelError {
  using ModelError::ModelError;
};

void expect_same_parameters(const json& wanted, const json& found, const fs::path& path) {
  if (wanted == found) return;
  std::string difference;
  for (std::size_t i = 0; i < std::max(wanted.size(), found.size()) && difference.empty(); ++i) {
    const std::string here = i < wanted.size() ? wanted[i].dump() : "nothing",
                      there = i < found.size() ? found[i].dump() : "nothing";
    if (here != there) difference = fmt::format("the model has {} where the checkpoint has {}", here, there);
  }
  fail<OtherModel>("[checkpoint] {} is of another model: {}", path.string(), difference);
}

/// A file of a later version may have another meaning.
void expect_known_format(const json& manifest, const fs::path& path) {
  const std::int64_t format = whole_from(manifest, "format", 1, most);
  if (format <= newest_format) return;
  fail<OtherModel>("[checkpoint] {} is of format {}, and this version of thalweg knows formats up to {}", path.string(),
                   format, newest_format);
}

/// Reads the manifest and verifies its checksum.
json read_manifest(const fs::path& path) {
  const std::string text = read_whole(path / "manifest.json");
  json sealed = nests_within(text, deepest) ? json::parse(text, nullptr, false) : json();
  if (!sealed.is_object() || !sealed.contains("manifest") || !sealed.contains("checksum"))
    fail<ModelError>("[checkpoint] {}: its manifest is no JSON object as a run writes it", path.string());
  if (const auto twice = data::repeated_key(text))
    fail<ModelError>("[checkpoint] {}: its manifest has '{}' twice", path.string(), *twice);
  const std::string inside = sealed["manifest"].dump();
  if (sealed["checksum"] != checksum(std::as_bytes(std::span(inside))))
    fail<ModelError>("[checkpoint] {}: the checksum of its manifest differs", path.string());
  expect_known_format(sealed["manifest"], path);
  return std::move(sealed["manifest"]);
}

void expect_like(const char* what, const std::string& name, const Tensor& found, const Tensor& wanted,
                 const fs::path& path) {
  if (found.dtype() == wanted.dtype() && found.shape() == wanted.shape()) return;
  fail<ModelError>("[checkpoint] {}: the {} '{}' is {} {}. Wanted: {} {}", path.string(), what, name, found.dtype(),
                   found.shape(), wanted.dtype(), wanted.shape());
}

/// With other slots the optimizer would start anew, and the run would not be the same as without interruption.
void expect_slots(const State& found, const State& wanted, const fs::path& path) {
  // these slots of a checkpoint may not be in the state yet: the count of skipped steps is added at the first one, the
  // values kept for each row when training begins
  const auto comes_later = [](const std::pair<std::string, Tensor>& slot) {
    const bool is_count = slot.first == "skipped" || slot.first.ends_with(":skipped");
    return slot.first.starts_with("rows:") || (is_count && slot.second.size() == 1 && slot.second.dtype() == f64);
  };
  std::size_t at = 0;
  for (const auto& slot : wanted.slots) {
    while (at < found.slots.size() && found.slots[at].first != slot.first && comes_later(found.slots[at])) ++at;
    if (at == found.slots.size()) {
      fail<ModelError>("[checkpoint] {} has {} of the optimizer's slots. Wanted: {}, '{}' among them", path.string(),
                       found.slots.size(), wanted.slots.size(), slot.first);
    }
    const auto& [name, value] = found.slots[at++];
    if (name != slot.first)
      fail<ModelError>("[checkpoint] {} has the slot '{}'. Wanted: '{}'", path.string(), name, slot.first);
    expect_like("slot", name, value, slot.second, path);
  }
  while (at < found.slots.size() && comes_later(found.slots[at])) ++at;
  if (at < found.slots.size()) {
    fail<ModelError>("[checkpoint] {} has {} of the optimizer's slots. Wanted: {}", path.string(), found.slots.size(),
                     wanted.slots.size());
  }
}

/// The file of a slice; a single slice is the whole state.
std::string slice_file(const SlicePlace& place) {
  return place.count == 1 ? "state.safetensors" : fmt::format("state-{}-of-{}.safetensors", place.number, place.count);
}

SafetensorsFile read_slice(const fs::path& path, const SlicePlace& place, const json& wanted) {
  SafetensorsFile file = read_safetensors(path / slice_file(place));
  if (wanted != checksum_of(file))
    fail<ModelError>("[checkpoint] {}: the checksum of the tensors in {} differs", path.string(), slice_file(place));
  return file;
}

/// Joins the parts of one tensor and frees them.
Tensor joined(const std::string& name, std::vector<Tensor> parts, const fs::path& path) {
  if (parts.empty()) fail<ModelError>("[checkpoint] {} lacks '{}'", path.string(), name);
  if (parts.size() == 1) return std::move(parts.front());
  std::int64_t size = 0;
  for (const Tensor& part : parts) {
    if (part.shape().rank() != 1 || part.dtype() != parts.front().dtype())
      fail<ModelError>("[checkpoint] {}: a part of '{}' is {} {}. Wanted: {} numbers in a row", path.string(), name,
                       part.dtype(), part.shape(), parts.front().dtype());
    size += part.size();
  }
  Tensor whole({size}, parts.front().dtype());
  std::byte* into = whole.mutable_raw();
  for (Tensor& part : parts) {
    std::memcpy(into, part.raw(), part.bytes());
    into += part.bytes();
    part = {};
  }
  return whole;
}

/// The tensors of all slices, joined: the parts of a tensor follow in the order of the slices.
SafetensorsFile read_tensors(const fs::path& path, const json& manifest) {
  if (!manifest.contains("slice_checksums")) return read_slice(path, {0, 1}, manifest.at("tensors_checksum"));
  const json& checksums = manifest["slice_checksums"];
  std::map<std::string, std::vector<Tensor>> parts;
  const SlicePlace all{0, static_cast<int>(checksums.size())};
  for (int i = 0; i < all.count; ++i) {
    for (auto& [name, part] : read_slice(path, {i, all.count}, checksums.at(static_cast<std::size_t>(i))).tensors)
      parts[name].push_back(std::move(part));
  }
  SafetensorsFile whole;
  for (const json& listed : manifest.at("tensors")) {
    const auto& name = listed.get_ref<const std::string&>();
    whole.tensors.emplace_back(name, joined(name, std::exchange(parts[name], {}), path));
  }
  return whole;
}

Checkpoint read_checkpoint(const fs::path& path, const State& like, const std::string& fingerprint) {
  const json manifest = read_manifest(path);
  SafetensorsFile file = read_tensors(path, manifest);
  json wanted = json::array();
  for (const ParameterEntry& entry : like.layout->entries) wanted.push_back(entry_json(entry));
  expect_same_parameters(wanted, manifest.at("parameters"), path);
  Checkpoint checkpoint;
  State& state = checkpoint.state;
  state.layout = like.layout;
  state.step = whole_from(manifest, "step", 0, most);
  const json& seed = manifest.at("seed");
  if (!seed.is_number_unsigned())
    fail<ModelError>("[checkpoint] seed = {}. Wanted: a whole number of at least 0", seed.dump());
  state.seed = seed;
  checkpoint.fingerprint = manifest.at("configuration");
  if (manifest.contains("made_on")) checkpoint.made_on = manifest["made_on"];
  checkpoint.position = position_from(manifest.at("position"), state.step);
  for (auto& [name, tensor] : file.tensors) {
    if (name == "parameters") {
      state.parameters = tensor;
    } else if (name == "best_parameters") {
      checkpoint.best_parameters = tensor;
    } else {
      state.slots.emplace_back(name, tensor);
    }
  }
  expect_like("block", "parameters", state.parameters, like.parameters, path);
  if (checkpoint.best_parameters)
    expect_like("block", "best_parameters", *checkpoint.best_parameters, like.parameters, path);
  const bool is_same = checkpoint.fingerprint.empty() || checkpoint.fingerprint == fingerprint;
  if (is_same) expect_slots(state, like, path);
  if (manifest.contains("collection_checksum")) {
    const SafetensorsFile collected = read_safetensors(path / collection_file);
    if (manifest["collection_checksum"] != checksum_of(collected))
      fail<ModelError>("[checkpoint] {}: the checksum of its collection differs", path.string());
    checkpoint.collection = collection_in(collected);
  }
  return checkpoint;
}

fs::path final_name(const fs::path& folder, std::int64_t step) { return folder / fmt::format("{}{:09}", prefix, step); }

json manifest_of(const Checkpoint& checkpoint) {
  json manifest = {{"format", 1},  // 2 if its tensors are in slices
                   {"step", checkpoint.state.step},
                   {"seed", checkpoint.state.seed},
                   {"configuration", checkpoint.fingerprint},
                   {"made_on", checkpoint.made_on},
                   {"position", position_json(checkpoint.position)},
                   {"parameters", json::array()}};
  for (const ParameterEntry& entry : checkpoint.state.layout->entries)
    manifest["parameters"].push_back(entry_json(entry));
  return manifest;
}

/// A single checksum is that of the whole state; several are those of the slices.
void add_checksums(json& manifest, const Checkpoint& checkpoint, std::span<const std::uint32_t> checksums) {
  if (checksums.size() == 1) {
    manifest["tensors_checksum"] = checksums.front();
    return;
  }
  manifest["format"] = 2;
  manifest["slice_checksums"] = std::vector(checksums.begin(), checksums.end());
  json& tensors = manifest["tensors"] = json::array({"parameters"});
  for (const auto& slot : checkpoint.state.slots) tensors.push_back(slot.first);
  if (checkpoint.best_parameters) tensors.push_back("best_parameters");
}

/// Gives the folder its final name and replaces a folder that already has it: the same step, written again after a
/// resume. If the file system can exchange two names, both folders exist at any time.
void rename_to_final(const fs::path& temporary, const fs::path& final) {
  if (::rename(temporary.c_str(), final.c_str()) == 0) return;
  if (errno == ENOTEMPTY || errno == EEXIST) {
    std::error_code error;
    const bool exchanged = ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, final.c_str(), RENAME_EXCHANGE) == 0;
    fs::remove_all(exchanged ? temporary : final, error);
    if (exchanged || ::rename(temporary.c_str(), final.c_str()) == 0) return;
  }
  fail<IoError>("[checkpoint] {}: {}", final.string(), std::strerror(errno));
}

}  // namespace

fs::path checkpoint_under_way(const fs::path& folder, std::int64_t step) {
  return final_name(folder, step) += under_way;
}

fs::path begin_checkpoint(const fs::path& folder, std::int64_t step) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {  // folders that a killed process left behind
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(under_way)) fs::remove_all(entry.path(), error);
  }
  fs::path temporary = checkpoint_under_way(folder, step);
  if (!fs::create_directories(temporary, error) && error)
    fail<IoError>("[checkpoint] {}: {}", temporary.string(), error.message());
  return temporary;
}

std::uint32_t write_slice(const fs::path& temporary, const SlicePlace& place, std::vector<NamedTensor> tensors) {
  const SafetensorsFile file{std::move(tensors), {}};
  write_safetensors(temporary / slice_file(place), file);
  return checksum_of(file);
}

void commit_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, std::span<const std::uint32_t> checksums,
                       int keep) {
  const fs::path temporary = checkpoint_under_way(folder, checkpoint.state.step);
  json manifest = manifest_of(checkpoint);
  add_checksums(manifest, checkpoint, checksums);
  if (checkpoint.collection) {
    const SafetensorsFile collected = file_of(*checkpoint.collection);
    manifest["collection_checksum"] = checksum_of(collected);
    write_safetensors(temporary / collection_file, collected);
  }
  const std::string text = manifest.dump();
  const json sealed = {{"manifest", manifest}, {"checksum", checksum(std::as_bytes(std::span(text)))}};
  write_atomically(temporary / "manifest.json", sealed.dump(1) + "\n");
  rename_to_final(temporary, final_name(folder, checkpoint.state.step));
  sync_folder(folder);
  std::error_code error;
  const auto all = checkpoints_in(folder);
  for (std::size_t i = static_cast<std::size_t>(std::max(keep, 1)); i < all.size(); ++i) fs::remove_all(all[i], error);
}

void abandon_checkpoint(const fs::path& folder, std::int64_t step) {
  std::error_code error;
  fs::remove_all(checkpoint_under_way(folder, step), error);
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, int keep) {
  const std::int64_t step = checkpoint.state.step;
  try {
    const fs::path temporary = begin_checkpoint(folder, step);
    std::vector<NamedTensor> tensors = {{"parameters", checkpoint.state.parameters}};
    for (const auto& slot : checkpoint.state.slots) tensors.push_back(slot);
    if (checkpoint.best_parameters) tensors.emplace_back("best_parameters", *checkpoint.best_parameters);
    const std::uint32_t checksum = write_slice(temporary, {0, 1}, std::move(tensors));
    commit_checkpoint(folder, checkpoint, {&checksum, 1}, keep);
  } catch (...) {
    abandon_checkpoint(folder, step);
    throw;
  }
}

namespace {

/// Reads a checkpoint; for a damaged one, adds a warning and returns nothing.
std::optional<Checkpoint> whole_checkpoint(const fs::path& path, const State& like, const std::string& fingerprint,
                                           std::vector<std::string>& warnings) {
  try {
    return read_checkpoint(path, like, fingerprint);
  } catch (const OtherModel&) {
    throw;
  } catch (const Error& error) {
    warnings.push_back(fmt::format("passed over: {}", error.what()));
  } catch (const json::exception& error) {
    warnings.push_back(
        fmt::format("passed over: [checkpoint] {}: its manifest lacks something ({})", path.string(), error.what()));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder, const State& like, const std::string& fingerprint,
                                            std::vector<std::string>& warnings) {
  for (const fs::path& path : checkpoints_in(folder)) {
    if (auto found = whole_checkpoint(path, like, fingerprint, warnings)) return found;
  }
  return std::nullopt;
}

std::optional<std::int64_t> newest_step(const fs::path& folder) {
  const auto all = checkpoints_by_step(folder);
  return all.empty() ? std::nullopt : std::optional(all.front().first);
}

std::vector<Checkpoint> all_checkpoints(const fs::path& folder, const State& like, const std::string& fingerprint,
                                        std::vector<std::string>& warnings) {
  std::vector<Checkpoint> all;
  for (const fs::path& path : checkpoints_in(folder)) {
    if (auto found = whole_checkpoint(path, like, fingerprint, warnings)) all.insert(all.begin(), std::move(*found));
  }
  return all;
}

}  // namespace thalweg
