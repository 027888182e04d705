#include "estimate/machine.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "options/nearest_name.hpp"
#include "options/toml.hpp"

namespace thalweg::estimate {

namespace {

constexpr double GB = 1e9, TB = 1e12, tera = 1e12;

// The efficiencies were fitted for the A100 to the step times that Korthikanti et al. 2022 measured with 22 and 175
// billion parameters (table 5, with full and with selective recomputation); the other machines use the same ones.
constexpr double matrix = 0.705, width = 200, moved = 0.92;

std::vector<Machine> rows() {
  return {
      {"v100", "NVIDIA V100 SXM2, 32 GB, eight a node", "data sheet 2020", 32 * GB, 125 * tera, 15.7 * tera, 900 * GB,
       8, 150 * GB, 3.1 * GB, 2 * GB, 1.0, matrix, width, moved},
      {"a100-40", "NVIDIA A100 SXM4, 40 GB, eight a node", "data sheet 2021", 40 * GB, 312 * tera, 19.5 * tera,
       1555 * GB, 8, 300 * GB, 25 * GB, 4 * GB, 1.5, matrix, width, moved},
      {"a100", "NVIDIA A100 SXM4, 80 GB, eight a node", "data sheet 2021", 80 * GB, 312 * tera, 19.5 * tera, 2039 * GB,
       8, 300 * GB, 25 * GB, 4 * GB, 2.0, matrix, width, moved},
      {"h100", "NVIDIA H100 SXM5, 80 GB, eight a node", "data sheet 2023", 80 * GB, 989.4 * tera, 66.9 * tera,
       3350 * GB, 8, 450 * GB, 50 * GB, 8 * GB, 3.0, matrix, width, moved},
      {"h200", "NVIDIA H200 SXM5, 141 GB, eight a node", "data sheet 2024", 141 * GB, 989.4 * tera, 66.9 * tera,
       4800 * GB, 8, 450 * GB, 50 * GB, 8 * GB, 3.5, matrix, width, moved},
      {"b200", "NVIDIA B200 SXM6, 180 GB, eight a node", "data sheet 2024", 180 * GB, 2250 * tera, 75 * tera, 7.7 * TB,
       8, 900 * GB, 50 * GB, 8 * GB, 5.0, matrix, width, moved},
      {"tpu-v4", "Google TPU v4, 32 GB, four a host", "Jouppi et al. 2023", 32 * GB, 275 * tera, 34 * tera, 1200 * GB,
       4, 150 * GB, 50 * GB, 4 * GB, 2.0, matrix, width, moved},
  };
}

}  // namespace

Fields fields(Machine& m) {
  return {{"name", &m.name, "what it is called"},
          {"doc", &m.doc, "what it is"},
          {"source", &m.source, "where the figures are from"},
          {"memory", &m.memory, "bytes a rank", positive},
          {"half", &m.half, "operations a second of products in bf16", positive},
          {"single", &m.single, "operations a second of products in f32", positive},
          {"bandwidth", &m.bandwidth, "bytes a second of a rank's memory", positive},
          {"ranks_a_node", &m.ranks_a_node, "ranks that share a node", Range{.low = 1}},
          {"link", &m.link, "bytes a second, each way, between ranks of a node", positive},
          {"network", &m.network, "bytes a second, each way, between nodes, a rank", positive},
          {"storage", &m.storage, "bytes a second that a node writes to files", positive},
          {"price", &m.price, "dollars a rank and hour", not_negative},
          {"matrix_efficiency", &m.matrix_efficiency, "part of the operations that large products reach",
           Range{.low = 0, .high = 1, .low_open = true}},
          {"half_reached_at", &m.half_reached_at, "width at which a product reaches half of that part", not_negative},
          {"moved_efficiency", &m.moved_efficiency, "part of bandwidth and link that is reached",
           Range{.low = 0, .high = 1, .low_open = true}}};
}

const std::vector<Machine>& machines() {
  static const std::vector<Machine> all = rows();
  return all;
}

namespace {

const Machine& row_of(const std::string& name) {
  const auto found = std::ranges::find(machines(), name, &Machine::name);
  if (found != machines().end()) return *found;
  std::vector<std::string> names;
  for (const Machine& machine : machines()) names.push_back(machine.name);
  fail<UsageError>("[plan] there is no machine '{}'. Hint: {} The path of a TOML file of your own works, too.", name,
                   name_hint(name, names));
}

}  // namespace

Machine machine_named(const std::string& name) {
  if (!name.ends_with(".toml")) return row_of(name);
  OptionMap values = read_toml(name).values;
  Machine machine;
  if (const auto like = values.find("like"); like != values.end()) {
    const auto* row = like->second.get_if<std::string>();
    if (!row) fail<UsageError>("[plan] {}: like = {}. Wanted: the name of a machine", name, like->second.str());
    machine = row_of(*row);
    values.erase(like);
  }
  machine.name = std::filesystem::path(name).stem().string();
  read_fields(fields(machine), values, name);
  check_fields(fields(machine), name);
  return machine;
}

}  // namespace thalweg::estimate
