#pragma once
// The page around a report, with style and script. It loads nothing from other files or from the network.

#include <string>
#include <string_view>

namespace thalweg {

/// The mark, the title and a line below it. Both are plain text.
[[nodiscard]] std::string header_html(std::string_view title, std::string_view subtitle);

/// A whole HTML document. `title` is escaped here, `body` is HTML.
[[nodiscard]] std::string html_page(std::string_view title, std::string_view body);

}  // namespace thalweg
