#pragma once
// Brings the rows of a batch into the memory of a device.

#include <map>
#include <memory>

#include "core/block.hpp"
#include "data/gather.hpp"
#include "device/device.hpp"
#include "engine/shard_program.hpp"

namespace thalweg {

/// Data from which rows are picked is copied to the device once, if it is not too large: then only row numbers are
/// sent, and the device picks the rows. In all other cases the rows are picked on the host and sent.
class RowsThere {
 public:
  explicit RowsThere(Device& device) : device_(device) {}

  /// The bytes of columns that stay on a device.
  static constexpr std::size_t most_bytes = std::size_t{4} << 30;

  /// Writes to `bases` the address of each column of the rows [begin, begin + count) of a batch, most of them in the
  /// memory at `into`, which has room for them as place_columns says.
  void place(const RowSelection& batch, std::int64_t begin, std::int64_t count, std::byte* into, std::byte** bases,
             Workers& workers);

 private:
  [[nodiscard]] bool reside(const Dataset& data);
  void pick(std::span<const std::int64_t> rows, std::byte* into, std::byte** bases, Workers& workers);
  void send(const RowSelection& batch, std::size_t begin, std::size_t count, std::byte* into, std::byte** bases);

  Device& device_;
  std::shared_ptr<const char> resident_, refused_;  // identities of data
  std::vector<data::RowSource> sources_;            // of the resident data, with the device's addresses
  std::vector<Block> columns_;
  std::map<std::pair<std::size_t, std::int64_t>, Kernel> kernels_;  // by the bytes of a row and the number of rows
  Block numbers_, scratch_;
  std::vector<std::byte> picked_;
};

}  // namespace thalweg
