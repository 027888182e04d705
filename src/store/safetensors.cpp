#include "store/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/nesting.hpp"
#include "core/whole_number.hpp"
#include "data/file.hpp"
#include "data/repeated_key.hpp"
#include "store/atomic_file.hpp"
#include "store/checksum.hpp"

namespace thalweg {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian; a big-endian port must swap");

namespace {

using Json = nlohmann::json;  // whose objects find a name among 100,000 without a linear search

constexpr int deepest = 4;  // levels of nesting: header, a tensor's entry, its shape, and one as reserve

constexpr std::array<std::pair<std::string_view, DType>, 4> dtype_names = {
    {{"F32", f32}, {"F64", f64}, {"I32", i32}, {"U8", u8}}};

std::string_view name_of(DType dtype) {
  return std::ranges::find(dtype_names, dtype, [](const auto& entry) { return entry.second; })->first;
}

// keys in the metadata: the checksum over the bytes of all tensors, and that over what describes them
constexpr const char* checksum_key = "thalweg.checksum";
constexpr const char* header_key = "thalweg.header_checksum";

/// A tensor as described in the header.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::int64_t begin, end;  // of its bytes, relative to the end of the header
};

/// The limit of the reference implementation (HuggingFace, safetensors 0.4).
constexpr std::uint64_t largest_header = 100'000'000;

std::string checksum_text(std::uint32_t sum) { return fmt::format("{:08x}", sum); }

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : file_(path) {}

  SafetensorsFile read() {
    const std::int64_t size = file_.size();
    std::uint64_t header_size = 0;
    if (size < 8 || file_.read_at(0, std::as_writable_bytes(std::span(&header_size, 1))) != 8)
      bad("it is shorter than its header");
    if (header_size > static_cast<std::uint64_t>(size - 8))
      bad(fmt::format("it announces a header of {} bytes and holds {}", header_size, size));
    if (header_size > largest_header)
      bad(fmt::format("its header has {} bytes, and {} are allowed", header_size, largest_header));
    std::string text(header_size, '\0');
    if (file_.read_at(8, std::as_writable_bytes(std::span(text))) != header_size) bad("its header is cut off");
    data_begin_ = 8 + static_cast<std::int64_t>(header_size);
    data_size_ = size - data_begin_;
    const auto header = nests_within(text, deepest) ? Json::parse(text, nullptr, false) : Json();
    if (!header.is_object()) bad("its header is no JSON object");
    if (const auto twice = data::repeated_key(text)) bad(fmt::format("its header has '{}' twice", shown(*twice)));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(entry);
      } else {
        entries_.push_back(entry_of(name, entry));
      }
    }
    check_cover();  // before memory is allocated for any of them
    for (Entry& entry : entries_) read_tensor(entry);
    check_sums();
    return std::move(result_);
  }

 private:
  [[noreturn]] void bad(const std::string& why) const {
    fail<ModelError>("[safetensors] {}: {}. Hint: the file is damaged, or no safetensors file.", file_.name(), why);
  }

  void read_metadata(const Json& entry) {
    if (!entry.is_object()) bad("its metadata is no object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) bad("its metadata has a value that is no text");
      result_.metadata[key] = value.get<std::string>();
    }
  }

  [[nodiscard]] Entry entry_of(const std::string& name, const Json& entry) const {
    if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() || !entry.contains("shape") ||
        !entry["shape"].is_array() || !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
        entry["data_offsets"].size() != 2) {
      bad(fmt::format("the entry of tensor '{}' is incomplete", name));
    }
    const std::string dtype = entry["dtype"].get<std::string>();
    const auto known = std::ranges::find(dtype_names, dtype, [](const auto& e) { return e.first; });
    if (known == dtype_names.end())
      bad(fmt::format("tensor '{}' has the dtype {}, and F32, F64, I32 and U8 are known", name, dtype));
    if (entry["shape"].size() > static_cast<std::size_t>(Shape::max_rank))
      bad(fmt::format("tensor '{}' has too many axes", name));
    Shape shape;
    std::int64_t bytes = static_cast<std::int64_t>(size_of(known->second));
    for (const auto& axis : entry["shape"]) {
      if (!axis.is_number_unsigned()) bad(fmt::format("tensor '{}' has a size that is no whole number", name));
      shape.push_back(number(axis, name));
      if (__builtin_mul_overflow(bytes, shape[-1], &bytes))
        bad(fmt::format("the size of tensor '{}' does not fit 64 bits", name));
    }
    const std::int64_t begin = number(entry["data_offsets"][0], name), end = number(entry["data_offsets"][1], name);
    if (begin > end || end > data_size_) bad(fmt::format("tensor '{}' lies outside of the file", name));
    if (end - begin != bytes)
      bad(fmt::format("tensor '{}' has {} bytes and its shape {} asks for {}", name, end - begin, shape, bytes));
    return {name, known->second, shape, begin, end};
  }

  [[nodiscard]] std::int64_t number(const Json& value, const std::string& name) const {
    if (const auto whole = as_whole(value, 0, most_whole)) return *whole;
    bad(fmt::format("tensor '{}' has an offset or size that is no whole number of 63 bits", name));
  }

  /// Checks that tensors neither overlap nor leave gaps, after sorting them by offset, which is the order in which they
  /// were written.
  void check_cover() {
    std::ranges::sort(entries_, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
    std::int64_t end = 0;
    for (const Entry& entry : entries_) {
      if (entry.begin != end) bad("its tensors overlap or leave gaps");
      end = entry.end;
    }
    if (end != data_size_) bad("bytes follow its last tensor");
  }

  void read_tensor(Entry& entry) {
    Tensor tensor(entry.shape, entry.dtype);
    const std::span into(tensor.mutable_raw(), tensor.bytes());
    if (file_.read_at(data_begin_ + entry.begin, into) != into.size())
      bad(fmt::format("tensor '{}' is cut off", entry.name));
    result_.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }

  /// Verifies the checksums, if there are any; files of other programs may have none.
  void check_sums() {
    const auto numbers = result_.metadata.extract(checksum_key), header = result_.metadata.extract(header_key);
    const auto expect = [&](const auto& written, std::uint32_t sum, std::string_view what, const char* key) {
      if (!written || written.mapped() == checksum_text(sum)) return;
      fail<ModelError>(
          "[safetensors] {}: its {} not what was written. Hint: the file is damaged: take a copy of it, or train "
          "again; if it was changed on purpose, remove {} from its metadata.",
          file_.name(), what, key);
    };
    expect(header, header_checksum_of(result_), "header (names, shapes, metadata) is", header_key);
    expect(numbers, checksum_of(result_), "numbers are", checksum_key);
  }

  data::File file_;
  std::int64_t data_begin_ = 0, data_size_ = 0;
  std::vector<Entry> entries_;
  SafetensorsFile result_;
};

}  // namespace

const Tensor& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = std::ranges::find(tensors, name, [](const auto& entry) { return entry.first; });
  if (found == tensors.end()) fail<ModelError>("[safetensors] there is no tensor '{}'", name);
  return found->second;
}

namespace {

/// Builds the header tensor by tensor: inserting them into one JSON object would search all earlier names each time.
std::string header_of(const SafetensorsFile& file) {
  std::string text = "{";
  std::set<std::string_view> names = {"__metadata__"};
  const auto add = [&](const std::string& name, const std::string& value) {
    text += (text.size() > 1 ? "," : "") + Json(name).dump() + ":" + value;
  };
  std::map<std::string, std::string> metadata = file.metadata;
  metadata[checksum_key] = checksum_text(checksum_of(file));
  metadata[header_key] = checksum_text(header_checksum_of(file));
  add("__metadata__", Json(metadata).dump());
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (!names.insert(name).second)  // such a file could not be read
      fail<UsageError>("[safetensors] two tensors are named '{}'. Wanted: a name of its own for each", name);
    const auto end = offset + static_cast<std::int64_t>(tensor.bytes());
    const auto sizes = tensor.shape().sizes();
    const nlohmann::ordered_json entry = {{"dtype", name_of(tensor.dtype())},
                                          {"shape", std::vector(sizes.begin(), sizes.end())},
                                          {"data_offsets", {offset, end}}};
    add(name, entry.dump());
    offset = end;
  }
  return text + "}";
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  std::string text;
  try {
    text = header_of(file);
  } catch (const Json::exception&) {
    fail<UsageError>("[safetensors] {}: the name of a tensor, or the metadata, is not UTF-8", path.string());
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  const std::uint64_t size = text.size();
  std::vector<std::span<const std::byte>> pieces(2);
  pieces[0] = std::as_bytes(std::span(&size, 1));
  pieces[1] = std::as_bytes(std::span(text));
  for (const auto& [name, tensor] : file.tensors) pieces.emplace_back(tensor.raw(), tensor.bytes());
  write_atomically(path, pieces);
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

void expect_finite(const SafetensorsFile& file, const std::string& name) {
  for (const auto& [tensor, numbers] : file.tensors) {
    const auto expect = [&, &own = tensor](const auto values) {
      const auto found = std::ranges::find_if_not(values, [](auto value) { return std::isfinite(value); });
      if (found == values.end()) return;
      fail<ModelError>("[model] {}: '{}' is {} at place {}. Wanted: finite numbers", name, own, *found,
                       found - values.begin());
    };
    if (numbers.dtype() == f32) expect(numbers.values<float>());
    if (numbers.dtype() == f64) expect(numbers.values<double>());
  }
}

}  // namespace thalweg
