#include "engine/norms.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/name_index.hpp"
#include "core/norm.hpp"
#include "engine/small_program.hpp"
#include "optim/segments.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

GradientNorm::GradientNorm(const Optimizer& optimizer, const Layout& layout, Device* far)
    : far_(far), pieces_({{0, 0, {layout.trained_size}}}), dtype_(layout.dtype) {
  if (std::ranges::any_of(optimizer.groups, &ParameterGroup::frozen)) pieces_ = segments_of(optimizer, layout);
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  SmallProgram program;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Var g = program.read({first_user_base, pieces_[i].gradient_offset * element}, layout.dtype, pieces_[i].shape);
    const Var part = thalweg::sum(square(g));
    program.write(part, {first_user_base + 1, static_cast<std::int64_t>(i * sizeof(double))});
    dtypes_.push_back(part.dtype());
  }
  sums_.resize(pieces_.size());
  program_.emplace(program.planned(far ? *far : this_cpu()));
  arena_ = Block(program_->arena_bytes(), far);
  if (far) sums_there_ = Block(sums_.size() * sizeof(double), far);
}

void GradientNorm::sum(std::byte* gradient, std::byte* sums, Workers& workers) {
  if (gradient == last_ && sums == last_sums_ && calls_.are_bound()) return calls_.again();
  std::byte* const bases[] = {gradient, sums};
  program_->run(bases, arena_.data(), workers, calls_);
  last_ = gradient, last_sums_ = sums;
}

double GradientNorm::total(const std::byte* sums) const {
  double total = 0;
  for (std::size_t i = 0; i < dtypes_.size(); ++i) total += number_at(sums + i * sizeof(double), dtypes_[i]);
  return total;
}

double GradientNorm::of(std::byte* gradient, Workers& workers) {
  auto* const sums = reinterpret_cast<std::byte*>(sums_.data());
  sum(gradient, far_ ? sums_there_.data() : sums, workers);
  if (far_) far_->fetch(sums, sums_there_.data(), sums_.size() * sizeof(double));
  const double squares = total(sums);
  return is_in_range(squares) ? std::sqrt(squares) : at_any_size(gradient);
}

bool GradientNorm::is_in_range(double squares) const {
  return squares >= least() && squares <= std::numeric_limits<double>::max();
}

double GradientNorm::at_any_size(const std::byte* gradient) const {
  std::vector<double> norms;
  Block here;
  if (far_) {
    std::int64_t end = 0;
    for (const Segment& piece : pieces_) end = std::max(end, piece.gradient_offset + piece.shape.size());
    here = Block(static_cast<std::size_t>(end) * size_of(dtype_));
    far_->fetch(here.data(), gradient, here.size());
    gradient = here.data();
  }
  for (const Segment& piece : pieces_) {
    const auto n = static_cast<std::size_t>(piece.shape.size());
    if (dtype_ == f32) {
      norms.push_back(norm_of(std::span(reinterpret_cast<const float*>(gradient) + piece.gradient_offset, n)));
    } else {
      norms.push_back(norm_of(std::span(reinterpret_cast<const double*>(gradient) + piece.gradient_offset, n)));
    }
  }
  return norm_of(std::span<const double>(norms));
}

namespace {

/// The common beginning of the paths of all trained parameters, where a layer follows in each: "d/" for a
/// discriminator.
std::size_t length_of_common_path(const Layout& layout) {
  std::vector<std::string_view> names;
  for (const ParameterEntry& entry : layout.entries) {
    if (!entry.frozen) names.push_back(entry.name);
  }
  std::size_t length = 0;
  while (!names.empty()) {
    const std::size_t end = names.front().find('/', length);
    if (end == std::string_view::npos) return length;
    const std::string_view path = names.front().substr(0, end + 1);
    const bool common = std::ranges::all_of(names, [&](std::string_view name) {
      return name.starts_with(path) && name.find('/', path.size()) != std::string_view::npos;
    });
    if (!common) return length;
    length = path.size();
  }
  return length;
}

std::string layer_of(const std::string& parameter, std::size_t common) {
  return parameter.substr(0, parameter.find('/', common));
}

Program squared_norms(const Layout& layout, Device* far) {
  const std::vector<std::string> layers = layers_of(layout);
  const std::size_t common = length_of_common_path(layout);
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  SmallProgram program;
  std::vector<Var> sums(layers.size());
  NameIndex numbers;
  for (const std::string& layer : layers) numbers.add(layer);
  const std::vector<std::int64_t> offsets = gradient_offsets(layout);
  for (std::size_t i = 0; i < layout.entries.size(); ++i) {
    const ParameterEntry& entry = layout.entries[i];
    if (entry.frozen) continue;
    Var& total = sums[*numbers.find(layer_of(entry.name, common))];
    const Var squares =
        sum(square(program.read_wide({first_user_base, offsets[i] * element}, layout.dtype, entry.shape)));
    total = total.defined() ? total + squares : squares;
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    program.write(sums[i], {first_user_base + 1, static_cast<std::int64_t>(i * sizeof(double))});
  }
  return program.planned(far ? *far : this_cpu());
}

}  // namespace

std::vector<std::string> layers_of(const Layout& layout) {
  std::vector<std::string> layers;
  NameIndex known;
  const std::size_t common = length_of_common_path(layout);
  for (const ParameterEntry& entry : layout.entries) {
    if (entry.frozen) continue;
    std::string layer = layer_of(entry.name, common);
    if (known.add(layer)) layers.push_back(std::move(layer));
  }
  return layers;
}

LayerNorms::LayerNorms(const Layout& layout, Device* far)
    : layers_(layers_of(layout).size()), program_(squared_norms(layout, far)) {}

std::vector<double> LayerNorms::of(std::byte* gradient, double weight, BlockPool& pool, Workers& workers) const {
  std::vector<double> norms(layers_);
  const std::size_t bytes = layers_ * sizeof(double), arena_bytes = program_.arena_bytes();
  Device* const far = program_.far();
  const auto memory = pool.take(arena_bytes + (far ? bytes : 0));
  auto* const results = reinterpret_cast<std::byte*>(norms.data());
  std::byte* const bases[] = {gradient, far ? memory.data() + arena_bytes : results};
  program_.run(bases, memory.data(), workers);
  if (far) far->fetch(results, bases[1], bytes);
  for (double& norm : norms) {
    norm = std::sqrt(norm) / weight;
    if (std::isnan(norm)) norm = std::numeric_limits<double>::infinity();  // NaN marks an objective without a turn
  }
  return norms;
}

}  // namespace thalweg
