#pragma once
// The page around a report: style, script, and nothing fetched from anywhere.

#include <string>
#include <string_view>

namespace thalweg {

/// The colours of lines that stand beside each other: classes variant1, variant2, ...
inline constexpr std::size_t variant_colours = 8;

/// The mark, the title and a line below it. Both are plain text.
[[nodiscard]] std::string header_html(std::string_view title, std::string_view subtitle);

/// A whole HTML document. `title` is escaped here, `body` is HTML.
[[nodiscard]] std::string html_page(std::string_view title, std::string_view body);

}  // namespace thalweg
