// A GPU kernel that finds an invalid index writes it to an error word, and the next wait throws an error.

#include <numeric>

#include "kernels/rows.hpp"
#include "opened_gpu.hpp"

namespace thalweg {
namespace {

using testing::CallThere;
using testing::There;

class WrongIndex : public ::testing::Test {
 protected:
  void SetUp() override {
    const Signature inputs[] = {{{3, 2}, f32}, {{2}, i32}};
    gather_ = driver_->op("gather", {inputs, {{2, 2}, f32}, {}});
    ASSERT_TRUE(gather_.run);
  }

  std::unique_ptr<GpuDriver> driver_ = testing::open_driver();
  Kernel gather_;
  There<float> table_{*driver_, {0, 1, 2, 3, 4, 5}}, out_{*driver_, 4};
  There<std::int32_t> places_{*driver_, {2, 0}};
};

TEST_F(WrongIndex, IsThrownOnceByTheNextWait) {
  CallThere call(*driver_, gather_, {table_.data(), places_.data()}, {out_.data()});
  gather_.run(call.call());
  std::vector<float> before(4), after(4);
  const Mark early = driver_->read(reinterpret_cast<std::byte*>(before.data()), out_.data(), out_.bytes());
  places_.write({0, 3});
  gather_.run(call.call());
  const Mark late = driver_->read(reinterpret_cast<std::byte*>(after.data()), out_.data(), out_.bytes());
  const Mark latest = driver_->read(reinterpret_cast<std::byte*>(after.data()), out_.data(), out_.bytes());
  driver_->wait(early);
  EXPECT_EQ(before, (std::vector<float>{4, 5, 0, 1}));
  EXPECT_THROW(driver_->wait(late), IndexError);
  EXPECT_NO_THROW(driver_->wait(latest));
  places_.write({1, 1});
  gather_.run(call.call());
  EXPECT_EQ(out_.read(), (std::vector<float>{2, 3, 2, 3}));
}

TEST_F(WrongIndex, InAGraphIsThrownInEachRun) {
  CallThere call(*driver_, gather_, {table_.data(), places_.data()}, {out_.data()});
  const auto graph = driver_->record({gather_.bind(call.call())});
  for (int i = 0; i < 2; ++i) {
    places_.write({-1, 0});
    graph();
    EXPECT_THROW((void)out_.read(), IndexError);
    places_.write({0, 1});
    graph();
    EXPECT_EQ(out_.read(), (std::vector<float>{0, 1, 2, 3}));
  }
}

/// A host kernel may fail because it reads the result of the invalid index, so the error is about the index.
TEST_F(WrongIndex, IsReportedBeforeTheErrorOfALaterHostKernel) {
  const Kernel here = driver_->here({[](const KernelCall&) { throw DataError("[test] of the index"); }}, {16}, 16);
  CallThere call(*driver_, gather_, {table_.data(), places_.data()}, {out_.data()});
  CallThere next(*driver_, here, {out_.data()}, {table_.data()});
  places_.write({0, 3});
  gather_.run(call.call());
  here.run(next.call());
  EXPECT_THROW((void)out_.read(), IndexError);
  EXPECT_NO_THROW((void)out_.read());
}

TEST(Rows, OfATableAreCopiedAsBytes) {
  const auto driver = testing::open_driver();
  std::vector<float> values(12);
  std::iota(values.begin(), values.end(), 0.0F);
  const There<float> table(*driver, values), out(*driver, 9);
  const There<std::int64_t> numbers(*driver, {3, 0, 3});
  const Kernel rows = driver->rows(12, 3);
  CallThere call(*driver, rows, {table.data(), numbers.data()}, {out.data()});
  rows.run(call.call());
  EXPECT_EQ(out.read(), (std::vector<float>{9, 10, 11, 0, 1, 2, 9, 10, 11}));
}

}  // namespace
}  // namespace thalweg
