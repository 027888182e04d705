#include "store/checkpoint.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "data/file.hpp"
#include "options/text.hpp"
#include "store/atomic_file.hpp"
#include "store/safetensors.hpp"

namespace thalweg {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view prefix = "step-";
constexpr std::int64_t largest_manifest = 64 << 20;

std::string read_whole(const fs::path& path) {
  const data::File file(path);
  if (file.size() < 0 || file.size() > largest_manifest)
    fail<ModelError>("[checkpoint] {}: {} bytes", path.string(), file.size());
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t start = 0) {
  return static_cast<std::uint32_t>(
      ::crc32_z(start, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::uint32_t checksum_of(const SafetensorsFile& file) {
  std::uint32_t sum = 0;
  for (const auto& [name, tensor] : file.tensors) sum = checksum({tensor.raw(), tensor.bytes()}, sum);
  return sum;
}

json entry_json(const ParameterEntry& entry) {
  return {{"name", entry.name},
          {"shape", std::vector(entry.shape.begin(), entry.shape.end())},
          {"frozen", entry.frozen},
          {"statistic", entry.statistic}};
}

json position_json(const RunPosition& p) {
  json j = {{"total_steps", p.total_steps},
            {"epoch_loss", p.epoch_loss},
            {"epoch_weight", p.epoch_weight},
            {"best_epoch", p.best_epoch},
            {"best_step", p.best_step},
            {"epochs_recorded", p.epochs_recorded},
            {"plateau",
             {{"bad_checks", p.plateau.bad_checks}, {"cooldown", p.plateau.cooldown}, {"factor", p.plateau.factor}}}};
  if (p.best_value) j["best_value"] = *p.best_value;
  if (p.plateau.best) j["plateau"]["best"] = *p.plateau.best;
  return j;
}

RunPosition position_from(const json& j) {
  RunPosition p;
  p.total_steps = j.at("total_steps");
  p.epoch_loss = j.at("epoch_loss");
  p.epoch_weight = j.at("epoch_weight");
  p.best_epoch = j.at("best_epoch");
  p.best_step = j.at("best_step");
  p.epochs_recorded = j.at("epochs_recorded");
  if (j.contains("best_value")) p.best_value = j.at("best_value").get<double>();
  const json& plateau = j.at("plateau");
  p.plateau.bad_checks = plateau.at("bad_checks");
  p.plateau.cooldown = plateau.at("cooldown");
  p.plateau.factor = plateau.at("factor");
  if (plateau.contains("best")) p.plateau.best = plateau.at("best").get<double>();
  return p;
}

/// The folders of checkpoints, newest first.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    if (const auto step = parse_integer(std::string_view(name).substr(prefix.size())))
      found.emplace_back(*step, entry.path());
  }
  std::ranges::sort(found, std::greater{}, [](const auto& f) { return f.first; });
  std::vector<fs::path> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

/// A checkpoint that is whole, of another model: to pass it over would begin the run again without a word.
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

Checkpoint read_checkpoint(const fs::path& path, const std::shared_ptr<const Layout>& layout) {
  const json sealed = json::parse(read_whole(path / "manifest.json"), nullptr, false);
  if (sealed.is_discarded() || !sealed.is_object() || !sealed.contains("manifest") || !sealed.contains("checksum")) {
    fail<ModelError>("[checkpoint] {}: its manifest is no JSON object", path.string());
  }
  const json& manifest = sealed["manifest"];
  const std::string text = manifest.dump();
  if (sealed["checksum"] != checksum(std::as_bytes(std::span(text))))
    fail<ModelError>("[checkpoint] {}: the checksum of its manifest differs", path.string());
  SafetensorsFile file = read_safetensors(path / "state.safetensors");
  if (manifest.at("tensors_checksum") != checksum_of(file))
    fail<ModelError>("[checkpoint] {}: the checksum of its tensors differs", path.string());
  json wanted = json::array();
  for (const ParameterEntry& entry : layout->entries) wanted.push_back(entry_json(entry));
  expect_same_parameters(wanted, manifest.at("parameters"), path);
  Checkpoint checkpoint;
  checkpoint.state.layout = layout;
  checkpoint.state.step = manifest.at("step");
  checkpoint.state.seed = manifest.at("seed");
  checkpoint.fingerprint = manifest.at("configuration");
  checkpoint.position = position_from(manifest.at("position"));
  for (auto& [name, tensor] : file.tensors) {
    if (name == "parameters") {
      checkpoint.state.parameters = tensor;
    } else if (name == "best_parameters") {
      checkpoint.best_parameters = tensor;
    } else {
      checkpoint.state.slots.emplace_back(name, tensor);
    }
  }
  if (checkpoint.state.parameters.size() != layout->size)
    fail<ModelError>("[checkpoint] {}: its parameters are not as many as the model's", path.string());
  return checkpoint;
}

}  // namespace

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, int keep) {
  std::error_code error;
  const std::string name = fmt::format("{}{:09}", prefix, checkpoint.state.step);
  const fs::path temporary = folder / (name + ".tmp"), final = folder / name;
  fs::remove_all(temporary, error);
  if (!fs::create_directories(temporary, error) && error)
    fail<IoError>("[checkpoint] {}: {}", temporary.string(), error.message());
  SafetensorsFile file;
  file.tensors.emplace_back("parameters", checkpoint.state.parameters);
  for (const auto& slot : checkpoint.state.slots) file.tensors.push_back(slot);
  if (checkpoint.best_parameters) file.tensors.emplace_back("best_parameters", *checkpoint.best_parameters);
  json manifest = {{"format", 1},
                   {"step", checkpoint.state.step},
                   {"seed", checkpoint.state.seed},
                   {"configuration", checkpoint.fingerprint},
                   {"position", position_json(checkpoint.position)},
                   {"parameters", json::array()},
                   {"tensors_checksum", checksum_of(file)}};
  for (const ParameterEntry& entry : checkpoint.state.layout->entries)
    manifest["parameters"].push_back(entry_json(entry));
  const std::string text = manifest.dump();
  const json sealed = {{"manifest", manifest}, {"checksum", checksum(std::as_bytes(std::span(text)))}};
  try {
    write_safetensors(temporary / "state.safetensors", file);
    write_atomically(temporary / "manifest.json", sealed.dump(1) + "\n");
    fs::remove_all(final, error);  // the same step again, after a resume
    if (::rename(temporary.c_str(), final.c_str()) != 0)
      fail<IoError>("[checkpoint] {}: {}", final.string(), std::strerror(errno));
  } catch (...) {
    fs::remove_all(temporary, error);
    throw;
  }
  sync_folder(folder);
  const auto all = checkpoints_in(folder);
  for (std::size_t i = static_cast<std::size_t>(std::max(keep, 1)); i < all.size(); ++i) fs::remove_all(all[i], error);
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder, const std::shared_ptr<const Layout>& layout,
                                            std::vector<std::string>& warnings) {
  for (const fs::path& path : checkpoints_in(folder)) {
    try {
      return read_checkpoint(path, layout);
    } catch (const OtherModel&) {
      throw;
    } catch (const Error& error) {
      warnings.push_back(fmt::format("passed over: {}", error.what()));
    } catch (const json::exception& error) {
      warnings.push_back(
          fmt::format("passed over: [checkpoint] {}: its manifest lacks something ({})", path.string(), error.what()));
    }
  }
  return std::nullopt;
}

}  // namespace thalweg
