#include "train/fingerprint.hpp"

#include <fmt/format.h>

#include "options/differences.hpp"

namespace thalweg {

namespace {

void put(FlatOptions& flat, const std::string& section, const std::string& kind, const OptionMap& options) {
  flat[section + ".kind"] = OptionValue{kind}.str();
  for (const auto& [key, value] : options) flat[section + "." + key] = value.str();
}

std::string names_of(const std::vector<Transform>& chain) {
  OptionList names;
  for (const Transform& transform : chain) names.push_back({transform.name});
  return OptionValue{std::move(names)}.str();
}

void put(FlatOptions& flat, const std::string& number, const Optimizer& optimizer) {
  put(flat, "optimizer" + number, optimizer.name, optimizer.options);
  flat["optimizer" + number + ".lr"] = OptionValue{optimizer.lr}.str();
  flat["optimizer" + number + ".chain"] = names_of(optimizer.chain);
  for (const ParameterGroup& group : optimizer.groups) {
    const std::string section = fmt::format("optimizer{} of {}", number, group.pattern);
    flat[section + ".lr_factor"] = OptionValue{group.lr_factor}.str();
    flat[section + ".frozen"] = group.frozen ? "true" : "false";
    flat[section + ".chain"] = names_of(group.chain);
    for (const auto& [name, value] : group.scalars) flat[section + "." + name] = OptionValue{value}.str();
  }
  put(flat, "schedule" + number, optimizer.schedule.name(), optimizer.schedule.options());
}

}  // namespace

std::string fingerprint_of(const FitOptions& options, std::span<const Optimizer* const> optimizers) {
  FlatOptions flat;
  for (std::size_t i = 0; i < optimizers.size(); ++i)
    put(flat, optimizers.size() == 1 ? "" : fmt::format(" {}", i + 1), *optimizers[i]);
  flat["seed"] = std::to_string(options.seed);
  flat["batch_size"] = std::to_string(options.batch_size);
  flat["accumulate"] = std::to_string(options.accumulate);
  flat["shard_size"] = std::to_string(options.shard_size);
  flat["validation"] = OptionValue{options.validation}.str();
  if (options.collect) flat["passes"] = std::to_string(options.passes);
  flat["shuffle"] = options.shuffle ? "true" : "false";
  if (options.precision == Precision::bf16) flat["precision"] = "\"bf16\"";
  return lines_of(flat);
}

}  // namespace thalweg
