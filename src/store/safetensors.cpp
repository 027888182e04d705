#include "store/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "data/file.hpp"
#include "store/atomic_file.hpp"

namespace thalweg {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian; a big-endian port must swap");

namespace {

using Json = nlohmann::ordered_json;  // tensors keep the order in which the file names them

constexpr std::array<std::pair<std::string_view, DType>, 4> dtype_names = {
    {{"F32", f32}, {"F64", f64}, {"I32", i32}, {"U8", u8}}};

std::string_view name_of(DType dtype) {
  return std::ranges::find(dtype_names, dtype, [](const auto& entry) { return entry.second; })->first;
}

struct Extent {
  std::int64_t begin, end;
};

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
    std::string text(header_size, '\0');
    if (file_.read_at(8, std::as_writable_bytes(std::span(text))) != header_size) bad("its header is cut off");
    data_begin_ = 8 + static_cast<std::int64_t>(header_size);
    data_size_ = size - data_begin_;
    // Nested values of any depth would take as deep a stack: a header is never deeper than three.
    const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 4; };
    const auto header = Json::parse(text, shallow, false);
    if (header.is_discarded() || !header.is_object()) bad("its header is no JSON object");
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        read_metadata(entry);
      } else {
        read_tensor(name, entry);
      }
    }
    check_cover();
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

  void read_tensor(const std::string& name, const Json& entry) {
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
      if (__builtin_mul_overflow(bytes, shape[-1], &bytes)) bad(fmt::format("tensor '{}' is too large to count", name));
    }
    const Extent extent{number(entry["data_offsets"][0], name), number(entry["data_offsets"][1], name)};
    if (extent.begin > extent.end || extent.end > data_size_)
      bad(fmt::format("tensor '{}' lies outside of the file", name));
    if (extent.end - extent.begin != bytes)
      bad(fmt::format("tensor '{}' has {} bytes and its shape {} asks for {}", name, extent.end - extent.begin, shape,
                      bytes));
    bytes_ += bytes;
    if (bytes_ > data_size_) bad("its tensors overlap or leave gaps");  // before there is memory for each
    Tensor tensor(shape, known->second);
    const std::span into(tensor.mutable_raw(), tensor.bytes());
    if (file_.read_at(data_begin_ + extent.begin, into) != into.size())
      bad(fmt::format("tensor '{}' is cut off", name));
    extents_.push_back(extent);
    result_.tensors.emplace_back(name, std::move(tensor));
  }

  [[nodiscard]] std::int64_t number(const Json& value, const std::string& name) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0x7fffffffffffffffULL) {
      bad(fmt::format("tensor '{}' has an offset or size that is no whole number of 63 bits", name));
    }
    return static_cast<std::int64_t>(value.get<std::uint64_t>());
  }

  /// Tensors neither overlap nor leave gaps.
  void check_cover() {
    std::ranges::sort(extents_, {}, [](const Extent& e) { return std::pair(e.begin, e.end); });
    std::int64_t end = 0;
    for (const Extent& extent : extents_) {
      if (extent.begin != end) bad("its tensors overlap or leave gaps");
      end = extent.end;
    }
    if (end != data_size_) bad("bytes follow its last tensor");
  }

  data::File file_;
  std::int64_t data_begin_ = 0, data_size_ = 0, bytes_ = 0;  // of the tensors so far
  std::vector<Extent> extents_;
  SafetensorsFile result_;
};

}  // namespace

const Tensor& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = std::ranges::find(tensors, name, [](const auto& entry) { return entry.first; });
  if (found == tensors.end()) fail<ModelError>("[safetensors] there is no tensor '{}'", name);
  return found->second;
}

void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::int64_t offset = 0;
  std::vector<std::span<const std::byte>> pieces(2);
  for (const auto& [name, tensor] : file.tensors) {
    const auto end = offset + static_cast<std::int64_t>(tensor.bytes());
    const auto sizes = tensor.shape().sizes();
    header[name] = {{"dtype", name_of(tensor.dtype())},
                    {"shape", std::vector(sizes.begin(), sizes.end())},
                    {"data_offsets", {offset, end}}};
    offset = end;
    pieces.emplace_back(tensor.raw(), tensor.bytes());
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // the data begins at a multiple of 8
  const std::uint64_t size = text.size();
  pieces[0] = std::as_bytes(std::span(&size, 1));
  pieces[1] = std::as_bytes(std::span(text));
  write_atomically(path, pieces);
}

SafetensorsFile read_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

}  // namespace thalweg
