// Times training steps and updates on a device, one workload per call: bench_device WORKLOAD [--device cuda] [--tf32]
// [--seconds 2] [--small] [--losses N]. Prints a line of JSON: microseconds per step, and the bytes of the GPU's memory
// in use. With --losses it prints instead the losses of N steps and their bits. `bench/device` compares it with PyTorch
// and JAX.

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/block.hpp"
#include "device/device.hpp"
#include "optim/update.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string workload, device = "cpu";
  bool tf32 = false, small = false;
  double seconds = 2;
  std::int64_t losses = 0;
};

[[noreturn]] void refuse(const std::string& what) {
  std::cerr << "bench_device: " << what << "\n";
  std::exit(2);
}

Arguments read(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : (refuse(word + " needs a value"), ""); };
    if (word == "--device")
      arguments.device = value();
    else if (word == "--seconds")
      arguments.seconds = std::stod(value());
    else if (word == "--losses")
      arguments.losses = std::stoll(value());
    else if (word == "--tf32")
      arguments.tf32 = true;
    else if (word == "--small")
      arguments.small = true;
    else if (word.starts_with("--"))
      refuse("unknown option: " + word);
    else
      arguments.workload = word;
  }
  return arguments;
}

/// A training: its objective and optimizer, its data, and the number of rows per step.
struct Training {
  tw::Trainer trainer;
  tw::Dataset data;
  std::int64_t batch;
  tw::Precision precision = tw::Precision::single;
};

constexpr std::int64_t batches = 16;  // per epoch; late reports are delivered at its end

tw::Dataset rows_of(const tw::Shape& row, std::int64_t batch, int classes) {
  tw::Shape shape{batches * batch};
  for (const std::int64_t size : row) shape.push_back(size);
  tw::Dataset data;
  data.set("input", tw::random_normal(shape, 1));
  data.set("target", tw::random_uniform({batches * batch}, 0, classes, 2, tw::f64).to(tw::i32));
  return data;
}

tw::Dataset text_of(std::int64_t vocabulary, std::int64_t time, std::int64_t batch) {
  tw::Dataset data;
  const auto tokens = [&](std::uint64_t seed) {
    return tw::random_uniform({batches * batch, time}, 0, static_cast<double>(vocabulary), seed, tw::f64).to(tw::i32);
  };
  data.set("input", tokens(3));
  data.set("target", tokens(4));
  return data;
}

Training logistic(std::int64_t batch) {
  tw::Dataset data = rows_of({57}, batch, 2);
  data.set("target", data["target"].to(tw::f32).reshape({batches * batch, 1}));
  return {{tw::nn::linear(1), tw::loss::binary_cross_entropy, tw::optim::adam()}, std::move(data), batch};
}
Training mlp(std::int64_t batch) {
  return {{tw::nn::mlp(10, {.hidden = {256, 128}}), tw::loss::cross_entropy, tw::optim::adam()},
          rows_of({784}, batch, 10),
          batch};
}
Training cnn(std::int64_t batch) {
  return {{tw::nn::convnet(10), tw::loss::cross_entropy, tw::optim::adam()}, rows_of({28, 28, 1}, batch, 10), batch};
}
Training resnet18(std::int64_t batch, std::int64_t width) {
  return {{tw::nn::resnet(10, {.blocks = {2, 2, 2, 2}, .width = width}), tw::loss::cross_entropy,
           tw::optim::sgd({.lr = 0.1, .momentum = 0.9})},
          rows_of({32, 32, 3}, batch, 10),
          batch,
          tw::Precision::bf16};
}
Training gpt(std::int64_t vocabulary, std::int64_t batch, const tw::nn::GptOptions& options, tw::Precision precision) {
  return {{tw::nn::gpt(vocabulary, options), tw::loss::cross_entropy, tw::optim::adamw({.lr = 1e-3, .clip_norm = 1})},
          text_of(vocabulary, options.context, batch),
          batch,
          precision};
}
tw::nn::GptOptions gpt2(bool small) {
  if (small) return {.layers = 1, .width = 32, .heads = 2, .context = 16};
  return {.layers = 12, .width = 768, .heads = 12, .context = 1024};
}
std::int64_t vocabulary(bool small) { return small ? 512 : 50'257; }

const std::map<std::string, std::function<Training(bool small)>>& trainings() {
  static const std::map<std::string, std::function<Training(bool)>> all = {
      {"logistic_64", [](bool) { return logistic(64); }},
      {"mlp_64", [](bool) { return mlp(64); }},
      {"mlp_1024", [](bool small) { return mlp(small ? 128 : 1024); }},
      {"cnn_64", [](bool small) { return cnn(small ? 4 : 64); }},
      {"cnn_512", [](bool small) { return cnn(small ? 8 : 512); }},
      {"gpt",
       [](bool small) {
         const tw::nn::GptOptions options{.layers = small ? 1 : 6, .width = 256, .heads = 8, .context = 128};
         return gpt(256, small ? 1 : 8, options, tw::Precision::single);
       }},
      {"gpt2", [](bool small) { return gpt(vocabulary(small), small ? 2 : 32, gpt2(small), tw::Precision::bf16); }},
      {"resnet18", [](bool small) { return resnet18(small ? 4 : 512, small ? 4 : 64); }},
  };
  return all;
}

/// The bytes of the GPU's memory in use; 0 if that is not known.
std::size_t taken(const std::string& device) {
  if (device == "cpu") return 0;
  const std::string name = device == "cuda" ? "cuda:0" : device;
  for (const tw::DeviceInfo& info : tw::devices()) {
    if (info.name == name) return info.memory - info.unused;
  }
  return 0;
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A batch is one shard, because a GPU computes shards one after another and the peers do not split batches either.
tw::FitOptions options_of(const Training& training, std::int64_t steps) {
  return {.steps = steps, .batch_size = training.batch, .shard_size = training.batch, .precision = training.precision};
}

nlohmann::ordered_json losses_of(Training& training, std::int64_t steps) {
  nlohmann::ordered_json losses = nlohmann::ordered_json::array(), bits = losses;
  tw::FitOptions options = options_of(training, steps);
  options.on_step = [&](const tw::StepReport& report) {
    losses.push_back(report.loss);
    std::uint64_t number = 0;
    std::memcpy(&number, &report.loss, sizeof number);
    bits.push_back(std::to_string(number));
  };
  (void)training.trainer.fit(training.data, options);
  return {{"losses", losses}, {"bits", bits}};
}

/// The mean time of a step over the given seconds; earlier steps plan, compile and record.
nlohmann::ordered_json time_of(Training& training, const Arguments& arguments) {
  const std::size_t before = taken(arguments.device);
  constexpr std::int64_t warm = 2 * batches;
  Clock::time_point begin, end;
  std::int64_t counted = 0;
  bool over = false;
  tw::FitOptions options = options_of(training, 1 << 30);
  options.late_reports = true;
  options.reports = 2;
  options.on_step = [&](const tw::StepReport& report) {
    end = Clock::now();
    if (report.step == warm) begin = end;
    counted = report.step - warm;
    over = counted >= batches && seconds_since(begin) > arguments.seconds;
  };
  options.stop = [&] { return over; };
  (void)training.trainer.fit(training.data, options);
  const double seconds = std::chrono::duration<double>(end - begin).count();
  return {{"us", 1e6 * seconds / static_cast<double>(counted)}, {"bytes", taken(arguments.device) - before}};
}

/// Repeats `once` for the given seconds, with a wait for the device after every few calls. Returns the microseconds per
/// call.
double repeated(const std::function<void()>& once, const std::function<void()>& wait, double seconds) {
  constexpr int portion = 20;
  for (int i = 0; i < portion; ++i) once();
  wait();
  std::int64_t count = 0;
  const Clock::time_point begin = Clock::now();
  do {
    for (int i = 0; i < portion; ++i) once();
    wait();
    count += portion;
  } while (seconds_since(begin) < seconds);
  return 1e6 * seconds_since(begin) / static_cast<double>(count);
}

/// The update of an optimizer for the parameters of GPT-2.
nlohmann::ordered_json update_of(const tw::Optimizer& optimizer, const Arguments& arguments) {
  tw::Device& device = tw::chosen_device();
  tw::Trainer trainer(tw::nn::gpt(vocabulary(arguments.small), gpt2(arguments.small)), tw::loss::cross_entropy,
                      optimizer);
  trainer.init(text_of(vocabulary(arguments.small), gpt2(arguments.small).context, 1), 1);
  const tw::Layout& layout = *trainer.state().layout;
  const tw::UpdateProgram update = tw::make_update(optimizer, layout, {}, {}, {}, device);
  const auto there = [&](const tw::Tensor& values) {
    tw::Block block(values.bytes(), device.far());
    device.write(block.data(), values.raw(), values.bytes());
    return block;
  };
  std::vector<double> scalars(update.scalars.size());
  tw::fill_scalars(update, {.step = 100, .weight = 64, .gradient_norm = 1, .lr = 1e-4}, scalars);
  std::vector<tw::Block> blocks;
  blocks.push_back(there(trainer.state().parameters));
  blocks.push_back(there(tw::random_normal({layout.size}, 5)));
  blocks.push_back(there(tw::Tensor::from(scalars, {std::ssize(scalars)})));
  for (const auto& [name, slot] : tw::initial_slots(update)) blocks.push_back(there(slot));
  std::vector<std::byte*> bases;
  for (const tw::Block& block : blocks) bases.push_back(block.data());
  const tw::Block arena(update.program->arena_bytes(), device.far());
  tw::Workers workers;
  tw::Program::Calls calls;
  const auto once = [&] {
    if (calls.are_bound()) return calls.again();
    update.program->run(bases, arena.data(), workers, calls);
  };
  float first = 0;
  const auto wait = [&] { device.fetch(reinterpret_cast<std::byte*>(&first), bases[0], sizeof first); };
  const double us = repeated(once, wait, arguments.seconds);
  return {{"us", us}, {"parameters", layout.size}, {"moved", update.program->bytes_moved()}};
}

/// A copy within the device's memory; its bandwidth is the limit of an update.
nlohmann::ordered_json copy(const Arguments& arguments) {
  tw::Device& device = tw::chosen_device();
  const std::size_t bytes = std::size_t{1} << (arguments.small ? 20 : 30);
  const tw::Block from(bytes, device.far()), to(bytes, device.far());
  const std::vector<std::byte> zeros(bytes);
  device.write(from.data(), zeros.data(), bytes);
  std::byte last{};
  const double us = repeated([&] { device.copy_there(to.data(), from.data(), bytes); },
                             [&] { device.fetch(&last, to.data(), 1); }, arguments.seconds);
  return {{"us", us}, {"moved", 2 * bytes}};
}

nlohmann::ordered_json run(const Arguments& arguments) {
  const tw::OnDevice device(arguments.device, arguments.tf32);
  nlohmann::ordered_json result{{"workload", arguments.workload}, {"device", device.facts()}};
  if (arguments.workload == "copy") {
    result.update(copy(arguments));
  } else if (arguments.workload == "adamw") {
    result.update(update_of(tw::optim::adamw(), arguments));
  } else if (arguments.workload == "muon") {
    result.update(update_of(tw::optim::muon(), arguments));
  } else {
    const auto found = trainings().find(arguments.workload);
    if (found == trainings().end()) refuse("there is no workload '" + arguments.workload + "'");
    Training training = found->second(arguments.small);
    result.update(arguments.losses > 0 ? losses_of(training, arguments.losses) : time_of(training, arguments));
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::cout << run(read(argc, argv)).dump() << "\n";
    return 0;
  } catch (const tw::Error& error) {
    std::cerr << "bench_device: " << error.what() << "\n";
    return error.exit_code();
  }
}
