#include "data/packed_rows.hpp"

#include <algorithm>

namespace thalweg::data {

PackedRows::PackedRows(std::vector<InputSegment> segments) : segments_(std::move(segments)) {
  for (const InputSegment& segment : segments_) slots_ += segment.one_hot ? 1 : static_cast<std::size_t>(segment.width);
}

void PackedRows::add(std::span<const float> row) {
  for (const InputSegment& segment : segments_) {
    const auto own = row.first(static_cast<std::size_t>(segment.width));
    row = row.subspan(own.size());
    if (segment.one_hot) {
      const auto one = std::ranges::find(own, 1.0F);
      packed_.push_back({.place = one == own.end() ? -1 : static_cast<std::int32_t>(one - own.begin())});
    } else {
      for (const float value : own) packed_.push_back({.value = value});
    }
  }
}

void PackedRows::unpack(std::int64_t row, std::span<float> into) const {
  std::ranges::fill(into, 0.0F);
  const Slot* slot = packed_.data() + static_cast<std::size_t>(row) * slots_;
  for (const InputSegment& segment : segments_) {
    const auto width = static_cast<std::size_t>(segment.width);
    if (segment.one_hot) {
      if (slot->place >= 0) into[static_cast<std::size_t>(slot->place)] = 1;
      ++slot;
    } else {
      for (std::size_t i = 0; i < width; ++i) into[i] = (slot++)->value;
    }
    into = into.subspan(width);
  }
}

RowReader reader_of(PackedRows rows, std::int64_t width) {
  auto shared = std::make_shared<const PackedRows>(std::move(rows));
  return {{width}, f32, [shared](std::int64_t row, std::span<std::byte> into) {
            shared->unpack(row, {reinterpret_cast<float*>(into.data()), into.size() / sizeof(float)});
          }};
}

}  // namespace thalweg::data
