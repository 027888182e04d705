#include "run/content.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "data/file.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

constexpr std::int64_t read_whole = std::int64_t{1} << 30;  // larger folders are hashed only by names and sizes

/// Makes every bit of the word affect every bit of the result (the finaliser of MurmurHash3; Appleby 2011).
std::uint64_t mixed(std::uint64_t word) {
  word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdULL;
  word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53ULL;
  return word ^ (word >> 33);
}

}  // namespace

std::uint64_t content_of(std::string_view bytes, std::uint64_t before) {
  std::uint64_t sum = mixed(before + 0x9e3779b97f4a7c15ULL);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    sum = mixed(sum ^ word) + 0x9e3779b97f4a7c15ULL;
  }
  return mixed(sum ^ bytes.size());
}

std::uint64_t content_of(std::span<const std::byte> bytes, std::uint64_t before) {
  return content_of(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), before);
}

namespace {

std::uint64_t checksum_of(const fs::path& path) {
  const data::File file(path);
  std::vector<std::byte> block(1 << 20);
  std::uint64_t sum = 0;
  for (std::int64_t place = 0;;) {
    const std::size_t read = file.read_at(place, block);
    sum = content_of(std::span<const std::byte>(block).first(read), sum);
    if (read < block.size()) return sum;
    place += static_cast<std::int64_t>(read);
  }
}

/// Whether a link leads to a folder that contains it, which would make an endless path.
bool is_around(const fs::path& link) {
  const fs::path to = fs::canonical(link), from = fs::canonical(link.parent_path());
  return std::ranges::mismatch(to, from).in1 == to.end();
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  fs::recursive_directory_iterator all(folder, fs::directory_options::follow_directory_symlink);
  for (; all != fs::recursive_directory_iterator(); ++all) {
    if (all->is_symlink() && all->is_directory() && is_around(*all)) all.disable_recursion_pending();
    if (all->is_regular_file()) files.push_back(all->path());
  }
  return files;
}

/// The hash of files in the order of their names relative to a folder.
FileContent content_below(const fs::path& folder, std::vector<fs::path> files, const std::string& called) {
  std::ranges::sort(files);
  FileContent content{.path = called, .files = std::ssize(files)};
  for (const fs::path& file : files) content.bytes += static_cast<std::int64_t>(fs::file_size(file));
  content.names_only = content.bytes > read_whole;
  for (const fs::path& file : files) {
    content.checksum = content_of(fs::relative(file, folder).generic_string(), content.checksum);
    const std::uint64_t inside = content.names_only ? fs::file_size(file) : checksum_of(file);
    content.checksum = mixed(content.checksum ^ inside);
  }
  return content;
}

}  // namespace

FileContent content_of_file(const fs::path& path) {
  return looking_at_files([&] {
    FileContent content{.path = path.string()};
    if (fs::exists(path) && !fs::is_regular_file(path) && !fs::is_directory(path)) {
      content.bytes = -1;
      return content;
    }
    if (fs::is_directory(path)) return content_below(path, files_below(path), path.string());
    content.checksum = checksum_of(path);
    content.bytes = static_cast<std::int64_t>(fs::file_size(path));
    return content;
  });
}

FileContent content_of_files(const fs::path& folder, std::vector<fs::path> files, const std::string& called) {
  return looking_at_files([&] {
    std::erase_if(files, [](const fs::path& file) { return !fs::is_regular_file(file); });
    return content_below(folder.empty() ? "." : folder, std::move(files), called);
  });
}

RowSet::RowSet(const std::vector<std::uint64_t>& rows) : left_(static_cast<std::int64_t>(rows.size())) {
  for (const std::uint64_t row : rows) ++counts_[row];
}

bool RowSet::take(std::uint64_t content) {
  const auto found = counts_.find(content);
  if (found == counts_.end() || found->second == 0) return false;
  --found->second;
  --left_;
  return true;
}

}  // namespace thalweg
