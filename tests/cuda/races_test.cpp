// Looks for data races in the emitted texts. They are compiled to a program in which five CPU threads do the work of a
// block's threads and wait for each other where the text synchronises, under ThreadSanitizer. The other tests run a
// block on one thread, so they cannot detect a missing synchronisation.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cases.hpp"
#include "emit/emit.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

using testing::Case;

void replace(std::string& text, const std::string& what, const std::string& by) {
  std::size_t found = 0;
  for (std::size_t i = 0; (i = text.find(what, i)) != std::string::npos; i += by.size(), ++found)
    text.replace(i, what.size(), by);
  ASSERT_GT(found, 0U) << what;
}

// There are five threads, so that indices a power of two apart never belong to the same thread. They wait at two
// barriers alternately: with a single barrier, ThreadSanitizer would also order accesses between two consecutive waits.
constexpr std::string_view head = R"(
#include <pthread.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>
static constexpr int tw_threads = 5;
static thread_local int tw_thread;
static thread_local int tw_turn;
static pthread_barrier_t tw_barriers[2];
static void tw_wait() { pthread_barrier_wait(&tw_barriers[tw_turn ^= 1]); }
)";

// Runs the cases of a file: the number of buffers, the size of each and the content of inputs; then the launches.
constexpr std::string_view tail = R"(
static void launch(void (*function)(void* const*), long long blocks, void* const* addresses) {
  std::vector<std::thread> threads;
  for (int t = 0; t < tw_threads; ++t) {
    threads.emplace_back([=] {
      tw_thread = t;
      for (long long b = 0; b < blocks; ++b) {
        tw_block(b);
        function(addresses);
        tw_wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
int main(int, char** arguments) {
  for (auto& barrier : tw_barriers) pthread_barrier_init(&barrier, nullptr, tw_threads);
  std::ifstream in(arguments[1], std::ios::binary);
  std::ofstream out(arguments[2], std::ios::binary);
  const auto number = [&in] {
    long long n = 0;
    in.read((char*)&n, 8);
    return n;
  };
  for (long long cases = number(); cases > 0; --cases) {
    std::vector<std::unique_ptr<char[]>> buffers;  // no longer than declared: the address sanitizer finds accesses beyond
    std::vector<char*> places;                     // where the operands begin in the buffers
    long long result = 0;
    const long long inputs = number();
    for (long long k = 0; k < inputs + 2; ++k) {
      const long long first = number(), bytes = number();
      buffers.emplace_back(new char[first + bytes]);
      places.push_back(buffers.back().get() + first);
      if (k < inputs) in.read(places.back(), bytes);
      if (k == inputs) result = bytes;
    }
    std::vector<void*> addresses;
    for (char* place : places) addresses.push_back(place);
    int error = 0;
    addresses.push_back(&error);
    for (long long launches = number(); launches > 0; --launches) {
      const long long function = number();
      launch(functions[function], number(), addresses.data());
    }
    out.write(places[inputs], result);
  }
}
)";

class Watched {
 public:
  explicit Watched(std::vector<Case> cases) : cases_(std::move(cases)) {}

  /// The results of all cases, run in a separate program that is compiled with this sanitizer.
  std::vector<Tensor> run(const std::string& sanitizer) {
    const testing::TemporaryFolder folder;
    const auto at = [&](const char* name) { return (folder / name).string(); };
    std::ofstream(at("kernels.cpp")) << source();
    write_cases(at("cases"));
    EXPECT_EQ(std::system(("g++ -std=c++20 -O1 -g -ffp-contract=off -fno-sanitize-recover=all -pthread -fsanitize=" +
                           sanitizer + " -o " + at("kernels") + " " + at("kernels.cpp"))
                              .c_str()),
              0);
    EXPECT_EQ(
        std::system(("TSAN_OPTIONS=history_size=7 " + at("kernels") + " " + at("cases") + " " + at("results")).c_str()),
        0);
    std::ifstream in(at("results"), std::ios::binary);
    std::vector<Tensor> results;
    for (const Case& c : cases_) {
      results.emplace_back(c.output.shape, c.output.dtype);
      in.read(reinterpret_cast<char*>(results.back().mutable_raw()), static_cast<std::streamsize>(c.output.bytes()));
    }
    return results;
  }

 private:
  static std::string prelude() {
    std::string text = emitted_prelude();
    replace(text, "#define TW_SHARED\n", "#define TW_SHARED static\n");
    replace(text, "#define TW_SYNC()\n", "#define TW_SYNC() tw_wait()\n");
    replace(text, "#define TW_EACH(t, n) for (int t = 0; t < n; ++t)\n",
            "#define TW_EACH(t, n) for (int t = tw_thread; t < n; t += tw_threads)\n");
    return text + emitted_micro_ops(micro_ops());
  }
  std::string source() {
    std::string text = std::string(head) + prelude(), names;
    for (std::size_t k = 0; k < cases_.size(); ++k) {
      texts_.push_back(*cases_[k].text());
      const std::string own = "k" + std::to_string(k);
      std::string one = texts_.back().text;
      if (one.empty()) continue;
      replace(one, text_name, own);
      text += one;
      for (const EmittedLaunch& launch : texts_.back().launches) {
        std::string name = launch.name;
        replace(name, text_name, own);
        names += name + ",";
      }
    }
    return text + "static void (*const functions[])(void* const*) = {" + names + "};\n" + std::string(tail);
  }
  void write_cases(const std::string& path) const {
    std::ofstream out(path, std::ios::binary);
    const auto number = [&out](auto n) {
      const auto wide = static_cast<long long>(n);
      out.write(reinterpret_cast<const char*>(&wide), 8);
    };
    number(cases_.size());
    long long function = 0;
    for (std::size_t k = 0; k < cases_.size(); ++k) {
      number(cases_[k].inputs.size());
      for (const Tensor& x : cases_[k].inputs) {
        const std::size_t bytes = Signature{x.shape(), x.dtype()}.bytes();
        number(size_of(x.dtype()));  // inputs and output begin one element behind an aligned address
        number(bytes);
        out.write(reinterpret_cast<const char*>(x.raw()), static_cast<std::streamsize>(bytes));
      }
      number(size_of(cases_[k].output.dtype));
      number(cases_[k].output.bytes());
      number(0);
      number(texts_[k].scratch);
      number(texts_[k].launches.size());
      for (const EmittedLaunch& launch : texts_[k].launches) {
        number(function++);
        number(launch.blocks);
      }
    }
  }

  std::vector<Case> cases_;
  std::vector<EmittedKernel> texts_;
};

/// The cases that are small enough to run under a sanitizer.
std::vector<Case> watched_cases() {
  std::vector<Case> cases;
  for (const Case& c : testing::all_cases(f32)) {
    std::int64_t size = c.output.shape.size();
    for (const Tensor& x : c.inputs) size = std::max(size, x.size());
    if (size > 0 && size <= 40000) cases.push_back(c);
  }
  return cases;
}

void expect_same_watched(const std::string& sanitizer) {
  const std::vector<Case> cases = watched_cases();
  const std::vector<Tensor> got = Watched(cases).run(sanitizer);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i].name());
    const Tensor wanted = cases[i].run(cases[i].here());
    if (testing::is_exact(cases[i].op)) {
      EXPECT_TRUE(same_bits(got[i], wanted)) << distance(got[i], wanted);
    } else {
      EXPECT_LE(distance(got[i], wanted), 2e-5);
    }
  }
}

TEST(SlowTexts, HaveNoRaces) { expect_same_watched("thread"); }
TEST(SlowTexts, StayInTheirArrays) { expect_same_watched("address,undefined"); }

}  // namespace
}  // namespace thalweg
