#include "tiles/micro_ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <span>
#include <string>

// Compile plain code for any CPU, and separate copies for SSE4, AVX2 and AVX-512; the other targets gain too little.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tiles/micro_ops.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles/micro_ops-inl.hpp"
#include "tiles/reducers-inl.hpp"

#if HWY_ONCE
namespace thalweg {

namespace {
HWY_EXPORT(MicroTable);
HWY_EXPORT(ReducerTable);
HWY_EXPORT(TargetName);
}  // namespace

std::span<const MicroOp> micro_ops() { return HWY_DYNAMIC_DISPATCH(MicroTable)(); }

const MicroOp* find_micro_op(std::string_view name) {
  for (const MicroOp& op : micro_ops()) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

const Reducer* find_reducer(std::string_view name) {
  for (const Reducer& reducer : HWY_DYNAMIC_DISPATCH(ReducerTable)()) {
    if (reducer.name == name) return &reducer;
  }
  return nullptr;
}

std::string_view instruction_set() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace thalweg
#endif
