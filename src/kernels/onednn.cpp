#include "kernels/onednn.hpp"

#include <omp.h>
#include <dnnl.hpp>
#include <mutex>

#include "core/error.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

/// Restricts oneDNN to the instruction set that this library's own loops use.
bool cap_instruction_set() {
  if (instruction_set() == "AVX2") (void)dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
  if (instruction_set() == "SSE4") (void)dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
  return true;
}

/// Sets one OpenMP thread for this thread, while it lives.
class OneOmpThread {
 public:
  OneOmpThread() : before_(omp_get_max_threads()) {
    [[maybe_unused]] static const bool capped = cap_instruction_set();
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneOmpThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneOmpThread(const OneOmpThread&) = delete;
  OneOmpThread& operator=(const OneOmpThread&) = delete;

 private:
  int before_;
};

using dnnl::memory;
using Result = ConvolutionResult;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::primitive_attr own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// The descriptors from which a convolution is created, in oneDNN's order of axes.
struct Descriptors {
  memory::desc image, filter, any_filter, result;
  memory::dims strides, dilations, before, after;

  explicit Descriptors(const ConvolutionShape& s) {
    constexpr auto type = memory::data_type::f32;
    const auto &h = s.height, &w = s.width;
    image = {{s.batch, s.in, h.in, w.in}, type, memory::format_tag::nhwc};
    result = {{s.batch, s.out, h.out, w.out}, type, memory::format_tag::nhwc};
    memory::dims sizes{s.out / s.groups, s.in / s.groups, h.kernel, w.kernel};
    const std::int64_t row = s.in / s.groups * s.out;
    memory::dims places{1, s.out, w.kernel * row, row};
    if (s.groups > 1) {
      sizes.insert(sizes.begin(), s.groups);
      places.insert(places.begin(), s.out / s.groups);
    }
    filter = {sizes, type, places};
    any_filter = {sizes, type, memory::format_tag::any};
    strides = {h.stride, w.stride};
    dilations = {h.dilation - 1, w.dilation - 1};
    before = {h.before, w.before};
    after = {h.after(), w.after()};
  }
};

// Version 3 creates a primitive's description at once, version 2 from an operation's description.
#if DNNL_VERSION_MAJOR >= 3
dnnl::convolution_forward::primitive_desc describe_value(const Descriptors& d) {
  return {engine(),
          dnnl::prop_kind::forward_training,
          dnnl::algorithm::convolution_direct,
          d.image,
          d.any_filter,
          d.result,
          d.strides,
          d.dilations,
          d.before,
          d.after,
          own_scratchpad()};
}
dnnl::convolution_backward_data::primitive_desc describe_image(const Descriptors& d) {
  return {engine(),        dnnl::algorithm::convolution_direct,
          d.image,         d.any_filter,
          d.result,        d.strides,
          d.dilations,     d.before,
          d.after,         describe_value(d),
          own_scratchpad()};
}
dnnl::convolution_backward_weights::primitive_desc describe_filter(const Descriptors& d) {
  return {engine(),        dnnl::algorithm::convolution_direct,
          d.image,         d.any_filter,
          d.result,        d.strides,
          d.dilations,     d.before,
          d.after,         describe_value(d),
          own_scratchpad()};
}
#else
dnnl::convolution_forward::primitive_desc describe_value(const Descriptors& d) {
  const dnnl::convolution_forward::desc operation(dnnl::prop_kind::forward_training,
                                                  dnnl::algorithm::convolution_direct, d.image, d.any_filter, d.result,
                                                  d.strides, d.dilations, d.before, d.after);
  return {operation, own_scratchpad(), engine()};
}
dnnl::convolution_backward_data::primitive_desc describe_image(const Descriptors& d) {
  const dnnl::convolution_backward_data::desc operation(dnnl::algorithm::convolution_direct, d.image, d.any_filter,
                                                        d.result, d.strides, d.dilations, d.before, d.after);
  return {operation, own_scratchpad(), engine(), describe_value(d)};
}
dnnl::convolution_backward_weights::primitive_desc describe_filter(const Descriptors& d) {
  const dnnl::convolution_backward_weights::desc operation(dnnl::algorithm::convolution_direct, d.image, d.any_filter,
                                                           d.result, d.strides, d.dilations, d.before, d.after);
  return {operation, own_scratchpad(), engine(), describe_value(d)};
}
#endif

/// A primitive and its arguments by oneDNN's argument numbers.
struct Step {
  dnnl::primitive primitive;
  memory::desc scratchpad;

  template <class Description>
  Step(dnnl::primitive made, const Description& description)
      : primitive(std::move(made)), scratchpad(description.scratchpad_desc()) {}

  void run(std::initializer_list<std::tuple<int, memory::desc, void*>> arguments, std::byte* scratch) const {
    const OneOmpThread one;
    std::unordered_map<int, memory> given;
    for (const auto& [number, desc, data] : arguments) given.emplace(number, memory(desc, engine(), data));
    given.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad, engine(), scratch));
    dnnl::stream stream(engine());
    primitive.execute(stream, given);
    stream.wait();
  }
};

Step reorder(const memory::desc& from, const memory::desc& to) {
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, own_scratchpad());
  return {dnnl::reorder(description), description};
}

class Convolution : public OnednnConvolution {
 public:
  Convolution(Descriptors descriptors, Step step, const memory::desc& packed, std::array<int, 3> numbers)
      : descriptors_(std::move(descriptors)),
        step_(std::move(step)),
        packed_(packed),
        numbers_(numbers),
        pack_(reorder(descriptors_.filter, packed_)),
        unpack_(reorder(packed_, descriptors_.filter)) {}

  std::size_t packed_bytes() const override { return packed_.get_size(); }
  std::size_t scratch_bytes() const override {
    return std::max({step_.scratchpad.get_size(), pack_.scratchpad.get_size(), unpack_.scratchpad.get_size()});
  }
  void pack(const float* filter, std::byte* packed, std::byte* scratch) const override {
    pack_.run({{DNNL_ARG_FROM, descriptors_.filter, const_cast<float*>(filter)}, {DNNL_ARG_TO, packed_, packed}},
              scratch);
  }
  void unpack(const std::byte* packed, float* filter, std::byte* scratch) const override {
    unpack_.run({{DNNL_ARG_FROM, packed_, const_cast<std::byte*>(packed)}, {DNNL_ARG_TO, descriptors_.filter, filter}},
                scratch);
  }
  void run(float* x, std::byte* packed_filter, float* y, std::byte* scratch) const override {
    step_.run({{numbers_[0], descriptors_.image, x},
               {numbers_[1], packed_, packed_filter},
               {numbers_[2], descriptors_.result, y}},
              scratch);
  }

 private:
  Descriptors descriptors_;
  Step step_;
  memory::desc packed_;
  std::array<int, 3> numbers_;  // argument numbers of image, filter and result
  Step pack_, unpack_;
};

std::shared_ptr<const OnednnConvolution> create(Result result, const Descriptors& d) {
  switch (result) {
    case Result::value: {
      const auto description = describe_value(d);
      return std::make_shared<Convolution>(d, Step(dnnl::convolution_forward(description), description),
                                           description.weights_desc(),
                                           std::array{DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
    }
    case Result::image: {
      const auto description = describe_image(d);
      return std::make_shared<Convolution>(d, Step(dnnl::convolution_backward_data(description), description),
                                           description.weights_desc(),
                                           std::array{DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST});
    }
    case Result::filter: {
      const auto description = describe_filter(d);
      return std::make_shared<Convolution>(d, Step(dnnl::convolution_backward_weights(description), description),
                                           description.diff_weights_desc(),
                                           std::array{DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST});
    }
  }
  return nullptr;
}

}  // namespace

void onednn_product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                    std::int64_t lda, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool add) {
  const OneOmpThread one;
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0F, a, lda, b,
                                          ldb, add ? 1.0F : 0.0F, c, ldc);
  if (status != dnnl_success) defect("oneDNN's sgemm gave status {}", static_cast<int>(status));
}

std::shared_ptr<const OnednnConvolution> OnednnConvolution::make(Result result, const ConvolutionShape& shape) {
  static std::mutex creating;
  const std::lock_guard lock(creating);
  const OneOmpThread one;
  try {
    return create(result, Descriptors(shape));
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) return nullptr;
    defect("oneDNN's convolution gave status {}", static_cast<int>(error.status));
  }
}

}  // namespace thalweg
