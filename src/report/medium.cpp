// Encodes pictures, sounds and tables as files.

#include "thalweg/medium.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "data/pictures.hpp"

namespace thalweg {

namespace {

/// Converts pixel values to bytes.
Tensor bytes_of(const Tensor& pixels) {
  if (pixels.dtype() == u8) return pixels;
  Tensor bytes(pixels.shape(), u8);
  const auto into = bytes.mutable_values<std::uint8_t>();
  for (std::int64_t i = 0; i < pixels.size(); ++i) {
    const double value = pixels.at(i);
    into[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(std::isnan(value) ? 0 : std::lround(255 * std::clamp(value, 0.0, 1.0)));
  }
  return bytes;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Joins u8 (count, height, width, channels) to one picture. Places without a picture are black.
Tensor sheet_of(const Tensor& pictures, std::int64_t columns) {
  const Shape& shape = pictures.shape();
  const std::int64_t height = shape[1], width = shape[2], channels = shape[3],
                     rows = (shape[0] + columns - 1) / columns;
  Tensor sheet({rows * height, columns * width, channels}, u8);
  const auto from = pictures.values<std::uint8_t>();
  const auto into = sheet.mutable_values<std::uint8_t>();
  const std::int64_t line = width * channels;
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t to = ((i / columns * height + y) * columns + i % columns) * line;
      std::copy_n(from.begin() + (i * height + y) * line, line, into.begin() + to);
    }
  }
  return sheet;
}

void put(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

}  // namespace

Medium Medium::pictures(const Tensor& pixels, std::int64_t columns) {
  const Shape& shape = pixels.shape();
  const bool fits = shape.rank() == 4 && shape.size() > 0 && (shape[3] == 1 || shape[3] == 3) && columns >= 0;
  if (!fits)
    fail<UsageError>("[pictures] {} in {} columns. Wanted: one picture or more, (count, height, width, 1 or 3)", shape,
                     columns);
  const auto usual = static_cast<std::int64_t>(std::ceil(std::sqrt(2.0 * static_cast<double>(shape[0]))));
  const Tensor sheet = sheet_of(bytes_of(pixels), std::min(shape[0], columns > 0 ? columns : usual));
  return {Kind::pictures, text_of(data::png_of(sheet))};
}

Medium Medium::sound(const Tensor& samples, std::int64_t rate) {
  constexpr std::int64_t most_samples = std::int64_t{1} << 30, most_rate = 1'000'000;
  if (samples.shape().rank() != 1 || samples.size() > most_samples || rate < 1 || rate > most_rate)
    fail<UsageError>("[sound] samples {} at {} a second. Wanted: (samples), and a rate from 1 to {}", samples.shape(),
                     rate, most_rate);
  const auto data = static_cast<std::uint32_t>(2 * samples.size()), a_second = static_cast<std::uint32_t>(rate);
  std::string wav = "RIFF";  // Microsoft's RIFF WAVE, one channel of 16 bits
  put(wav, 36 + data, 4);
  wav += "WAVEfmt ";
  put(wav, 16, 4);
  put(wav, 1, 2);
  put(wav, 1, 2);
  put(wav, a_second, 4);
  put(wav, 2 * a_second, 4);
  put(wav, 2, 2);
  put(wav, 16, 2);
  wav += "data";
  put(wav, data, 4);
  for (std::int64_t i = 0; i < samples.size(); ++i) {
    const double value = samples.at(i);
    const auto level = std::isnan(value) ? 0 : std::lround(32767 * std::clamp(value, -1.0, 1.0));
    put(wav, static_cast<std::uint32_t>(level) & 65535, 2);
  }
  return {Kind::sound, std::move(wav)};
}

Medium Medium::text(std::string text) { return {Kind::text, std::move(text)}; }

Medium Medium::table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  nlohmann::json all = nlohmann::json::array({head});
  for (const auto& row : rows) {
    if (row.size() != head.size())
      fail<UsageError>("[table] a row of {} cells under a head of {}", row.size(), head.size());
    all.push_back(row);
  }
  return {Kind::table, all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

std::string Medium::extension() const {
  switch (kind) {
    case Kind::pictures: return ".png";
    case Kind::sound: return ".wav";
    case Kind::text: return ".txt";
    case Kind::table: return ".json";
  }
  return "";
}

}  // namespace thalweg
