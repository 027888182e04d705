// Pictures of a run, as PNG inside the page.

#include "core/error.hpp"
#include "report/tables.hpp"

namespace thalweg {

namespace {

/// Base 64 (RFC 4648).
std::string base64(std::span<const std::byte> bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : digits[word >> (18 - 6 * static_cast<unsigned>(k)) & 63];
  }
  return text;
}

}  // namespace

std::string data_address(std::string_view type, std::span<const std::byte> bytes) {
  return fmt::format("data:{};base64,{}", type, base64(bytes));
}

std::string pictures_html(const std::vector<PictureRow>& rows) {
  std::string out = "<div class=\"card wide\"><table class=\"pictures\">\n";
  for (const PictureRow& row : rows) {
    out += fmt::format("<tr><th>{}</th>", row.label);
    for (const auto& png : row.pngs)
      out += fmt::format("<td><img alt=\"{}\" src=\"{}\"></td>", row.label, data_address("image/png", png));
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

}  // namespace thalweg
