// The library for NVIDIA's GPUs: memory, order, errors and graphs, on the stand-ins for NVIDIA's libraries.

#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "core/error.hpp"
#include "kernels/rows.hpp"
#include "opened_gpu.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

using testing::CallThere;
using testing::counts_of;
using testing::Environment;
using testing::open_driver;
using testing::text_on;
using testing::There;

std::vector<float> counted(std::size_t n, float from = 0) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), from);
  return values;
}

/// out = in * factor + 1, as a kernel of the GPU.
EmittedKernel scaling(std::int64_t n, int factor) {
  EmittedKernel kernel;
  kernel.text = fmt::format(
      "TW_KERNEL(64) KERNEL_NAME(TW_ADDRESSES(3) p) {{\n  const float* in = (const float*)p[0];\n"
      "  float* out = (float*)p[1];\n  TW_EACH(t, 64) {{\n    const tw_index i = (tw_index)blockIdx.x * 64 + t;\n"
      "    if (i < {}) out[i] = in[i] * {} + 1;\n  }}\n}}\n",
      n, factor);
  kernel.launches = {{text_name, (n + 63) / 64, 64}};
  kernel.inputs = kernel.outputs = 1;
  return kernel;
}

/// The same as a kernel of the host.
Kernel scaling_here(std::size_t n, float factor) {
  return {[n, factor](const KernelCall& call) {
    for (std::size_t i = 0; i < n; ++i) call.out<float>()[i] = call.in<float>(0)[i] * factor + 1;
  }};
}

/// The message of the exception that a function throws.
template <class E>
std::string message_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

TEST(Driver, SaysWhatTheGpuIs) {
  const auto driver = open_driver();
  const GpuFacts& facts = driver->facts();
  EXPECT_EQ(facts.name, "Stand-in for a GPU");
  EXPECT_EQ(facts.major, 9);
  EXPECT_EQ(facts.processors, 132);
  EXPECT_GT(facts.unused, 0U);
  EXPECT_GE(facts.bytes, facts.unused);
  EXPECT_EQ(facts.versions, "driver 13.0, NVRTC 13.0, cuBLASLt 13.1.0, cuDNN 9.19.0");
}

TEST(Driver, BytesOfEverySizeAreReadAsTheyWereWritten) {
  const auto driver = open_driver();
  for (const std::size_t n : {1U, 3U, 1000U, 600'000U, 9'000'000U, 20'000'000U}) {
    const std::vector<float> values = counted(n, 5);
    const There<float> there(*driver, values);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(there.data()) % 256, 0U);
    EXPECT_EQ(there.read(), values) << n;
  }
}

TEST(Driver, TheHostMayChangeBytesRightAfterAWrite) {
  const auto driver = open_driver();
  for (const std::size_t n : {4U, 5'000'000U}) {
    std::vector<float> values = counted(n);
    const There<float> there(*driver, values);
    std::ranges::fill(values, 7.0F);
    EXPECT_EQ(there.read(), counted(n));
  }
}

TEST(Driver, ManySmallWritesKeepTheirOrder) {
  const auto driver = open_driver();
  There<float> all(*driver, 60);
  std::vector<There<float>*> kept;
  for (int i = 0; i < 300'000; ++i) {
    const auto value = static_cast<float>(i);
    driver->write(all.data() + i % 60 * sizeof(float), reinterpret_cast<const std::byte*>(&value), sizeof(value));
  }
  EXPECT_EQ(all.read(), counted(60, 300'000 - 60));
}

TEST(Driver, WorkIsDoneInTheOrderOfTheCalls) {
  const auto driver = open_driver();
  There<float> a(*driver, counted(10)), b(*driver, 10);
  std::vector<float> first(10), second(10);
  const auto bytes_of = [](std::vector<float>& values) { return reinterpret_cast<std::byte*>(values.data()); };
  driver->copy_there(b.data(), a.data(), a.bytes());
  const Mark early = driver->read(bytes_of(first), b.data(), b.bytes());
  a.write(counted(10, 100));
  driver->copy_there(b.data(), a.data(), a.bytes());
  const Mark late = driver->read(bytes_of(second), b.data(), b.bytes());
  driver->wait(early);
  EXPECT_EQ(first, counted(10));
  driver->wait(late);
  EXPECT_EQ(second, counted(10, 100));
  driver->wait(early);  // waiting again does nothing
}

TEST(Driver, AWaitForALaterMarkCompletesEarlierReads) {
  const auto driver = open_driver();
  const There<float> there(*driver, counted(1000));
  std::vector<float> first(1000), second(1000);
  (void)driver->read(reinterpret_cast<std::byte*>(first.data()), there.data(), there.bytes());
  driver->wait(driver->read(reinterpret_cast<std::byte*>(second.data()), there.data(), there.bytes()));
  EXPECT_EQ(first, counted(1000));
}

TEST(Driver, ReleasedMemoryIsReusedAtOnce) {
  const auto driver = open_driver();
  std::byte* const first = driver->allocate(1000);
  driver->release(first);
  std::byte* const second = driver->allocate(1024);
  EXPECT_EQ(first, second);
  std::byte* const other = driver->allocate(1000);
  EXPECT_NE(other, second);
  driver->release(second);
  driver->release(other);
}

TEST(Driver, AllocationReturnsNullIfMemoryIsExhausted) {
  const Environment environment("THALWEG_STAND_IN_BYTES", "10000000");
  const auto driver = open_driver();
  std::byte* const most = driver->allocate(6'000'000);
  ASSERT_NE(most, nullptr);
  EXPECT_EQ(driver->allocate(5'000'000), nullptr);
  driver->release(most);
  std::byte* const rest = driver->allocate(9'000'000);  // uses the released memory
  ASSERT_NE(rest, nullptr);
  driver->release(rest);
}

/// Released memory is kept for reuse. It is returned to NVIDIA's driver only after all work that uses it.
TEST(Driver, MemoryIsNotReturnedWhileWorkStillReadsIt) {
  const Environment environment("THALWEG_STAND_IN_BYTES", "10000000");
  const auto driver = open_driver();
  const There<float> to(*driver, 1'000'000);
  {
    const There<float> from(*driver, counted(1'000'000));
    EXPECT_EQ(from.read().back(), 999'999);  // so that it has been written before
    driver->copy_there(to.data(), from.data(), to.bytes());
  }
  std::byte* const more = driver->allocate(5'000'000);
  ASSERT_NE(more, nullptr);
  driver->release(more);
  EXPECT_EQ(to.read(), counted(1'000'000));
}

TEST(Driver, ThreadsMayCallTogether) {
  const auto driver = open_driver();
  const Kernel kernel = text_on(*driver, scaling(5000, 2));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int k = 0; k < 4; ++k) {
    threads.emplace_back([&, k] {
      for (int i = 0; i < 25; ++i) {
        const There<float> in(*driver, std::vector<float>(5000, static_cast<float>(k * 100 + i))), out(*driver, 5000);
        CallThere call(*driver, kernel, {in.data()}, {out.data()});
        kernel.run(call.call());
        if (out.read() == std::vector<float>(5000, static_cast<float>(2 * (k * 100 + i) + 1))) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 100);
}

TEST(Driver, MayBeClosedByAThreadThatDidNotUseItWhileWorkWaits) {
  auto driver = open_driver();
  const Kernel kernel = text_on(*driver, scaling(100, 2));
  {
    const There<float> in(*driver, counted(100)), out(*driver, 100);
    CallThere call(*driver, kernel, {in.data()}, {out.data()});
    kernel.run(call.call());
    (void)driver->record({kernel.bind(call.call())});
  }
  std::thread([&] { driver.reset(); }).join();
  EXPECT_EQ(driver, nullptr);
}

// ---------------------------------------------------------------------------------------------------------------------
// Texts

TEST(Texts, AreCompiledTogetherAndEqualOnesOnlyOnce) {
  const auto driver = open_driver();
  const Kernel doubled = text_on(*driver, scaling(100, 2)), tripled = text_on(*driver, scaling(100, 3)),
               again = text_on(*driver, scaling(100, 2));
  EXPECT_EQ(counts_of(*driver).compiled, 0);
  There<float> in(*driver, counted(100)), middle(*driver, 100), out(*driver, 100);
  for (const auto& [kernel, from, to] :
       {std::tuple(&doubled, &in, &middle), std::tuple(&tripled, &middle, &out), std::tuple(&again, &out, &in)}) {
    CallThere call(*driver, *kernel, {from->data()}, {to->data()});
    kernel->run(call.call());
  }
  std::vector<float> wanted = counted(100);
  for (float& x : wanted) x = ((x * 2 + 1) * 3 + 1) * 2 + 1;
  EXPECT_EQ(in.read(), wanted);
  EXPECT_EQ(counts_of(*driver).compiled, 1);
  EXPECT_EQ(counts_of(*driver).launches, 3);
}

TEST(Texts, ABoundCallKeepsItsAddresses) {
  const auto driver = open_driver();
  const Kernel kernel = text_on(*driver, scaling(50, 2));
  There<float> in(*driver, counted(50)), out(*driver, 50);
  CallThere call(*driver, kernel, {in.data()}, {out.data()});
  const std::function<void()> bound = kernel.bind(call.call());
  bound();
  EXPECT_EQ(out.read().back(), 99);
  in.write(counted(50, 50));
  bound();
  EXPECT_EQ(out.read().back(), 199);
}

TEST(Texts, DenormalsAreZeroAsOnTheCpuInTraining) {
  const auto driver = open_driver();
  EmittedKernel halving = scaling(1, 1);
  halving.text.replace(halving.text.find("in[i] * 1 + 1"), 13, "in[i] * 0.5f");
  const Kernel halved = text_on(*driver, halving);
  There<float> in(*driver, std::vector<float>{std::numeric_limits<float>::min()}), out(*driver, 1);
  CallThere call(*driver, halved, {in.data()}, {out.data()});
  halved.run(call.call());
  EXPECT_EQ(out.read()[0], 0);
}

TEST(Texts, MachineCodeIsCachedInFilesAndDamagedOnesAreReplaced) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path cache = folder / "a/cache";
  const auto run = [&cache](int factor) {
    const auto driver = open_driver(cache);
    const Kernel kernel = text_on(*driver, scaling(10, factor));
    There<float> in(*driver, counted(10)), out(*driver, 10);
    CallThere call(*driver, kernel, {in.data()}, {out.data()});
    kernel.run(call.call());
    EXPECT_EQ(out.read().back(), static_cast<float>(9 * factor + 1));
    const cuda::Counts counts = counts_of(*driver);
    EXPECT_EQ(counts.compiled + counts.found, 1);
    return counts.found == 1;
  };
  EXPECT_FALSE(run(2));
  EXPECT_TRUE(run(2));
  EXPECT_FALSE(run(3));  // another text
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(cache)) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 2U);  // no unfinished file is left
  const std::string whole = testing::read_text(files[0]);
  for (const std::string& damaged : {whole.substr(0, whole.size() / 2), std::string("something else"), std::string(),
                                     whole.substr(0, whole.size() - 1) + '!'}) {
    for (const auto& file : files) std::ofstream(file, std::ios::binary) << damaged;
    EXPECT_FALSE(run(2));
    EXPECT_TRUE(run(2));
  }
}

TEST(Texts, OnesThatDoNotCompileAreADefectThatSaysWhere) {
  const auto driver = open_driver();
  EmittedKernel broken = scaling(10, 2);
  broken.text += "this is no C++;";
  const Kernel kernel = text_on(*driver, broken);
  There<float> there(*driver, 10);
  CallThere call(*driver, kernel, {there.data()}, {there.data()});
  const std::string message = message_of<InternalError>([&] { kernel.run(call.call()); });
  EXPECT_NE(message.find("NVRTC_ERROR_COMPILATION"), std::string::npos) << message;
  EXPECT_NE(message.find("this"), std::string::npos) << message;
  EXPECT_LT(message.size(), 2500U);
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels of this host

TEST(HostKernels, RunInTheOrderOfTheCalls) {
  const auto driver = open_driver();
  const std::size_t n = 300;
  const Kernel there = text_on(*driver, scaling(n, 2)), here = driver->here(scaling_here(n, 3), {n * 4}, n * 4);
  There<float> a(*driver, counted(n)), b(*driver, n), c(*driver, n), d(*driver, n);
  CallThere first(*driver, there, {a.data()}, {b.data()}), second(*driver, here, {b.data()}, {c.data()}),
      third(*driver, there, {c.data()}, {d.data()});
  there.run(first.call());
  here.run(second.call());
  there.run(third.call());
  b.write(counted(n));  // must happen after the kernel has read it
  std::vector<float> wanted = counted(n);
  for (float& x : wanted) x = ((x * 2 + 1) * 3 + 1) * 2 + 1;
  EXPECT_EQ(d.read(), wanted);
  EXPECT_EQ(b.read(), counted(n));
}

TEST(HostKernels, AreRunInTheFloatingPointModeOfTheirCaller) {
  const auto driver = open_driver();
  const Kernel kernel = driver->here({[](const KernelCall& call) {
                                       call.out<float>()[0] = call.in<float>(0)[0] * 0.5F;
                                       call.out<float>()[1] = FlushDenormals::is_on() ? 1 : 0;
                                     }},
                                     {4}, 8);
  There<float> in(*driver, std::vector<float>{std::numeric_limits<float>::min()}), out(*driver, 2);
  CallThere call(*driver, kernel, {in.data()}, {out.data()});
  kernel.run(call.call());
  EXPECT_EQ(out.read(), (std::vector<float>{std::numeric_limits<float>::min() / 2, 0}));
  {
    const FlushDenormals flush;
    kernel.run(call.call());
  }
  EXPECT_EQ(out.read(), (std::vector<float>{0, 1}));
}

TEST(HostKernels, UseScratchAndSeveralInputs) {
  const auto driver = open_driver();
  Kernel adds{[](const KernelCall& call) {
                auto* const room = reinterpret_cast<double*>(call.scratch);
                for (int i = 0; i < 100; ++i) room[i] = call.in<double>(0)[i] + call.in<float>(1)[i];
                for (int i = 0; i < 100; ++i) call.out<double>()[i] = room[99 - i];
              },
              100 * sizeof(double)};
  const Kernel kernel = driver->here(adds, {800, 400}, 800);
  EXPECT_EQ(kernel.scratch, 0U);  // no scratch on the GPU; the host allocates its own
  const There<double> a(*driver, std::vector<double>(100, 0.5)), out(*driver, 100);
  const There<float> b(*driver, counted(100));
  CallThere call(*driver, kernel, {a.data(), b.data()}, {out.data()});
  kernel.run(call.call());
  EXPECT_EQ(out.read()[0], 99.5);
  EXPECT_EQ(out.read()[99], 0.5);
}

TEST(HostKernels, AnExceptionIsRethrownByTheNextWaitForLaterWork) {
  const auto driver = open_driver();
  const Kernel throws = driver->here({[](const KernelCall&) { fail<DataError>("[test] a wrong value"); }}, {4}, 4);
  int ran = 0;
  const Kernel counts = driver->here({[&ran](const KernelCall&) { ++ran; }}, {4}, 4);
  There<float> a(*driver, counted(1)), b(*driver, 1);
  CallThere call(*driver, throws, {a.data()}, {b.data()});
  float before = 0, after = 0;
  const Mark early = driver->read(reinterpret_cast<std::byte*>(&before), a.data(), 4);
  throws.run(call.call());
  counts.run(call.call());
  const Mark late = driver->read(reinterpret_cast<std::byte*>(&after), b.data(), 4);
  EXPECT_EQ(ran, 0);
  const Mark latest = driver->read(reinterpret_cast<std::byte*>(&after), b.data(), 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  driver->wait(early);  // does not throw, whether the kernel has run or not
  EXPECT_EQ(message_of<DataError>([&] { driver->wait(late); }), "[test] a wrong value");
  EXPECT_EQ(ran, 0);     // kernels after an error are skipped
  driver->wait(latest);  // an error is thrown only once
  counts.run(call.call());
  EXPECT_NO_THROW((void)b.read());
  EXPECT_EQ(ran, 1);
}

TEST(HostKernels, MayBeDestroyedBeforeTheirWorkIsDone) {
  const auto driver = open_driver();
  There<float> in(*driver, counted(100)), out(*driver, 100);
  const auto runs = std::make_shared<std::atomic<int>>(0);
  {
    const Kernel kernel = driver->here({[runs](const KernelCall& call) {
                                         ++*runs;
                                         std::copy_n(call.in<float>(0), 100, call.out<float>());
                                       }},
                                       {400}, 400);
    CallThere call(*driver, kernel, {in.data()}, {out.data()});
    kernel.run(call.call());
    EXPECT_EQ(*runs, 0);
  }
  EXPECT_EQ(*runs, 1);
  EXPECT_EQ(runs.use_count(), 1);
  EXPECT_EQ(out.read(), counted(100));
}

// ---------------------------------------------------------------------------------------------------------------------
// Graphs

TEST(Graphs, RunTheRecordedCallsAsOne) {
  const auto driver = open_driver();
  const std::size_t n = 500;
  const Kernel there = text_on(*driver, scaling(n, 2)), here = driver->here(scaling_here(n, 3), {n * 4}, n * 4);
  There<float> a(*driver, counted(n)), b(*driver, n), c(*driver, n), d(*driver, n);
  CallThere first(*driver, there, {a.data()}, {b.data()}), second(*driver, here, {b.data()}, {c.data()});
  const std::function<void()> both =
      driver->record({there.bind(first.call()), [&here, &second] { here.run(second.call()); },
                      [&] { driver->copy_there(d.data(), c.data(), c.bytes()); }});
  EXPECT_TRUE(std::isnan(d.read()[0]));  // recording runs nothing
  EXPECT_EQ(counts_of(*driver).graphs, 1);
  EXPECT_EQ(counts_of(*driver).uncaptured, 0);
  EXPECT_EQ(counts_of(*driver).compiled, 1);
  const std::int64_t launches = counts_of(*driver).launches;
  for (const float from : {0.0F, 1000.0F, -7.0F}) {
    a.write(counted(n, from));
    both();
    std::vector<float> wanted = counted(n, from);
    for (float& x : wanted) x = (x * 2 + 1) * 3 + 1;
    EXPECT_EQ(d.read(), wanted);
  }
  EXPECT_EQ(counts_of(*driver).launches, launches);
}

TEST(Graphs, AnExceptionOfAHostKernelIsThrownInEachRun) {
  const auto driver = open_driver();
  const Kernel checks = driver->here({[](const KernelCall& call) {
                                       if (call.in<float>(0)[0] < 0) fail<DataError>("[test] negative");
                                       call.out<float>()[0] = call.in<float>(0)[0];
                                     }},
                                     {4}, 4);
  There<float> a(*driver, 1), b(*driver, 1);
  CallThere call(*driver, checks, {a.data()}, {b.data()});
  const auto graph = driver->record({[&] { checks.run(call.call()); }});
  for (int i = 0; i < 3; ++i) {
    a.write({-1.0F});
    graph();
    EXPECT_EQ(message_of<DataError>([&] { (void)b.read(); }), "[test] negative");
    a.write({5.0F});
    graph();
    EXPECT_EQ(b.read()[0], 5);
  }
}

TEST(Graphs, CallsThatCannotBeCapturedAreMadeOneByOne) {
  const auto driver = open_driver();
  const Kernel there = text_on(*driver, scaling(20, 2));
  There<float> a(*driver, counted(20)), b(*driver, 20);
  CallThere first(*driver, there, {a.data()}, {b.data()});
  std::vector<float> seen;
  const auto calls = driver->record({there.bind(first.call()), [&] { seen = b.read(); }});
  EXPECT_EQ(counts_of(*driver).graphs, 0);
  EXPECT_EQ(counts_of(*driver).uncaptured, 1);
  EXPECT_TRUE(seen.empty());
  calls();
  ASSERT_EQ(seen.size(), 20U);
  EXPECT_EQ(seen.back(), 39);
}

TEST(Graphs, DoNotRecordTheCallsOfOtherThreads) {
  const auto driver = open_driver();
  const Kernel there = text_on(*driver, scaling(20, 2));
  There<float> a(*driver, counted(20)), b(*driver, 20), other(*driver, 20);
  CallThere first(*driver, there, {a.data()}, {b.data()}), second(*driver, there, {a.data()}, {other.data()});
  std::vector<float> seen;
  const auto graph = driver->record({[&] {
    std::thread([&] {
      there.run(second.call());
      seen = other.read();
    }).join();
    there.run(first.call());
  }});
  EXPECT_EQ(counts_of(*driver).graphs, 1);
  ASSERT_EQ(seen.size(), 20U);
  EXPECT_EQ(seen.back(), 39);
  EXPECT_TRUE(std::isnan(b.read()[0]));
  other.write(counted(20));
  graph();
  EXPECT_EQ(b.read().back(), 39);
  EXPECT_EQ(other.read(), counted(20));
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors

TEST(Failures, OfTheGpuNameTheCallAndMentionTheCheckpoint) {
  const Environment environment("THALWEG_STAND_IN_LOST_AFTER", "2");
  auto driver = open_driver();
  const Kernel kernel = text_on(*driver, scaling(20, 2));
  {
    There<float> a(*driver, counted(20)), b(*driver, 20);
    CallThere call(*driver, kernel, {a.data()}, {b.data()});
    for (int i = 0; i < 2; ++i) kernel.run(call.call());
    EXPECT_EQ(b.read().back(), 39);
    kernel.run(call.call());
    float unread = 0;
    const Mark early = driver->read(reinterpret_cast<std::byte*>(&unread), b.data(), sizeof(unread));
    for (int i = 0; i < 2; ++i) {  // all later calls fail too
      const std::string message = message_of<DeviceError>([&] { (void)b.read(); });
      for (const char* part : {"cu", "CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable", "the last checkpoint is whole"})
        EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    EXPECT_THROW(driver->wait(early), DeviceError);  // the earlier read must not seem to be done
    try {
      kernel.run(call.call());
      FAIL();
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.exit_code(), 9);
    }
    EXPECT_THROW((void)driver->allocate(100'000), DeviceError);
  }
  driver.reset();  // must not throw
}

TEST(Failures, AMissingGpuIsNamed) {
  const auto listed = [] {
    std::vector<GpuFacts> all;
    testing::from_cuda_library<ListGpus>(list_gpus_name)(all);
    return all;
  };
  {
    const Environment environment("THALWEG_STAND_IN_GPUS", "0");
    EXPECT_TRUE(listed().empty());
    const std::string message = message_of<UsageError>([] { (void)open_driver(); });
    EXPECT_NE(message.find("no GPU"), std::string::npos) << message;
  }
  const Environment environment("THALWEG_STAND_IN_GPUS", "2");
  ASSERT_EQ(listed().size(), 2U);
  EXPECT_EQ(listed()[1].major, 9);
  EXPECT_NO_THROW((void)open_driver({}, 1));
  const std::string message = message_of<UsageError>([] { (void)open_driver({}, 2); });
  EXPECT_NE(message.find("GPU number 2: there are 2"), std::string::npos) << message;
}

TEST(Failures, AnOldDriverIsNamedBeforeTheOtherLibrariesAreOpened) {
  const Environment environment("THALWEG_STAND_IN_DRIVER", "12080");
  const std::string message = message_of<UsageError>([] { (void)open_driver(); });
  for (const char* part : {"driver 12.8", "CUDA 13.0", "580"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  std::vector<GpuFacts> all;
  const auto list = [&all] { testing::from_cuda_library<ListGpus>(list_gpus_name)(all); };
  EXPECT_EQ(message_of<UsageError>(list), message);
  EXPECT_TRUE(all.empty());
}

TEST(Facts, TheListOfGpusHasTheVersionsOfTheLibraries) {
  std::vector<GpuFacts> all;
  testing::from_cuda_library<ListGpus>(list_gpus_name)(all);
  EXPECT_EQ(all.at(0).versions, open_driver()->facts().versions);
}

TEST(Facts, TheListOfGpusHasTheUnusedMemory) {
  const auto unused = [] {
    std::vector<GpuFacts> all;
    testing::from_cuda_library<ListGpus>(list_gpus_name)(all);
    return all.at(0).unused;
  };
  const auto driver = open_driver();
  const std::size_t before = unused();
  EXPECT_GT(before, 0U);
  const There<float> values(*driver, 1 << 20);
  EXPECT_EQ(before - unused(), values.bytes());
}

}  // namespace
}  // namespace thalweg
