#include "system/latent.hpp"

#include <filesystem>

#include "core/hint.hpp"
#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "store/checksum.hpp"
#include "store/saved_options.hpp"
#include "system/acting.hpp"
#include "system/images.hpp"

namespace fs = std::filesystem;

namespace thalweg::images {

namespace {

constexpr const char* wanted = "Wanted: the folder of a finished run of [system] kind = \"vae\"";

template <class... Args>
[[noreturn]] void refuse(const std::string& run, fmt::format_string<Args...> why, Args&&... args) {
  fail_option("latent", "latent = \"{}\": {}", run, fmt::format(why, std::forward<Args>(args)...));
}

fs::path model_of(const std::string& run) { return fs::path(run) / "model.safetensors"; }

SafetensorsFile trained_vae(const std::string& run) {
  if (!fs::is_directory(run)) refuse(run, "there is no such folder. {}", wanted);
  if (!fs::exists(model_of(run))) refuse(run, "there is no model.safetensors in it. {}", wanted);
  SafetensorsFile file = read_safetensors(model_of(run));
  if (file.metadata["system.kind"] != "vae") refuse(run, "it is not a run of a VAE. {}", wanted);
  expect_finite(file, model_of(run).string());
  return file;
}

VaeOptions options_in(const SafetensorsFile& file, const std::string& run) {
  const std::string name = model_of(run).string();
  VaeOptions options;
  read_saved_fields(options.fields(), saved_options(file, "system.options", name), name);
  if (options.levels == 0)
    refuse(run,
           "its code is a vector of {} numbers. Wanted: a code that is a grid, for convolutions. Hint: "
           "a VAE with levels = 2",
           options.width);
  return options;
}

/// Throws unless the autoencoder was trained on images with the shape and dtype of the data.
void expect_same_images(const SafetensorsFile& file, const std::string& run, const SystemData& data) {
  const auto text = file.metadata.find("preprocessing");
  if (text == file.metadata.end()) refuse(run, "the format of its images is missing in its model");
  const auto preprocessing = data::Preprocessing::from_json(text->second);
  const auto* tensor = preprocessing.tensor();
  if (!tensor) refuse(run, "it was not trained on images");
  if (tensor->input == data.input && tensor->dtype == data.dtype) return;
  refuse(run, "it was trained on images {} {}, and these are {} {}", tensor->dtype, tensor->input, data.dtype,
         data.input);
}

std::string digits(const SafetensorsFile& file) { return fmt::format("{:08x}", checksum_of(file)); }

/// The state of such a net, with the parameters of the run.
State state_of(const std::shared_ptr<const Vae>& vae, const std::string& run, const SystemData& data) {
  Shape shape{1};
  for (const std::int64_t size : data.input) shape.push_back(size);
  Dataset like;
  like.set("input", Tensor(shape));
  State state = acting::untrained([vae](Scope s, const Batch& b) { return vae->loss(s, b["input"]); }, like, 1);
  state.load(model_of(run).string(), {"encoder/*", "decoder/*"});
  return state;
}

}  // namespace

std::string checksum_of_run(const std::string& run) {
  const SafetensorsFile file = trained_vae(run);
  (void)options_in(file, run);
  return digits(file);
}

Latent::Latent(const std::string& run, const std::string& checksum, const SystemData& data) {
  try {
    open(run, checksum, data);
  } catch (const OptionError& error) {  // the configuration was right when the run began
    fail<DataError>("[diffusion] {}. Hint: the run needs this folder unchanged, at the same place: restore it",
                    before_hint(error.what()));
  }
}

void Latent::open(const std::string& run, const std::string& checksum, const SystemData& data) {
  const SafetensorsFile file = trained_vae(run);
  if (digits(file) != checksum)
    fail<DataError>("[diffusion] latent = \"{}\": its parameters have changed: their checksum is {}, and was {}", run,
                    digits(file), checksum);
  expect_same_images(file, run, data);
  const VaeOptions options = options_in(file, run);
  expect(data, "vae", std::int64_t{1} << options.levels);
  vae_ = std::make_shared<const Vae>(data.input, options);
  state_ = state_of(vae_, run, data);
  decode_ =
      std::make_unique<Apply>([vae = vae_](Scope s, const Batch& b) { return vae->images(s, b["x"]); }, data.threads);
}

Var Latent::encode(const Scope& s, const Var& pixels) const {
  const Vae::Distribution code = vae_->encode_as(state_, s, pixels);
  return code.drawn(s.normal("code", code.mean.shape()));
}

Tensor Latent::decode(const Tensor& codes) const { return in_portions(*decode_, state_, codes); }

}  // namespace thalweg::images
