#pragma once
// Indices: checked access to lists by signed numbers, and index types that fit only one kind of list.

#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <ranges>
#include <utility>
#include <vector>

namespace thalweg {

/// Reports an index outside its list as a defect of the library.
[[noreturn]] void no_such_index(long long index, std::size_t size);

/// Element `i` of a list, with a check of the range.
template <class List, std::integral I>
[[nodiscard]] constexpr decltype(auto) at(List&& list, I i) {
  const auto place = static_cast<std::size_t>(i);  // a negative index becomes too large a number
  if (place >= std::size(list)) no_such_index(static_cast<long long>(i), std::size(list));
  return std::forward<List>(list)[place];
}

/// The length of a list as a signed number.
template <class List>
[[nodiscard]] constexpr int count(const List& list) {
  return static_cast<int>(std::size(list));
}

/// The index of a `Tag` in a list of them; a default-constructed one is empty. `using ItemId = Id<struct Item>;`
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(std::integral auto index) : index_(static_cast<int>(index)) {}

  [[nodiscard]] constexpr int index() const { return index_; }
  /// False for an empty index.
  [[nodiscard]] constexpr explicit operator bool() const { return index_ >= 0; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

 private:
  int index_ = -1;
};

/// A vector whose elements are accessed by their Id only: `plan.items[id]`, checked.
template <class I, class T>
class IndexVector {
 public:
  IndexVector() = default;
  explicit IndexVector(std::size_t size, const T& value = T()) : elements_(size, value) {}

  [[nodiscard]] T& operator[](I id) { return at(elements_, id.index()); }
  [[nodiscard]] const T& operator[](I id) const { return at(elements_, id.index()); }

  /// Appends an element and returns its index.
  I push_back(T element) {
    elements_.push_back(std::move(element));
    return I(elements_.size() - 1);
  }
  void resize(std::size_t size, const T& value = T()) { elements_.resize(size, value); }
  void clear() { elements_.clear(); }

  [[nodiscard]] std::size_t size() const { return elements_.size(); }
  [[nodiscard]] bool empty() const { return elements_.empty(); }
  [[nodiscard]] T& back() { return elements_.back(); }
  [[nodiscard]] const T& back() const { return elements_.back(); }
  [[nodiscard]] auto begin() { return elements_.begin(); }
  [[nodiscard]] auto begin() const { return elements_.begin(); }
  [[nodiscard]] auto end() { return elements_.end(); }
  [[nodiscard]] auto end() const { return elements_.end(); }
  /// All indices, in order.
  [[nodiscard]] auto ids() const {
    return std::views::iota(0, count(elements_)) | std::views::transform([](int i) { return I(i); });
  }

 private:
  std::vector<T> elements_;
};

}  // namespace thalweg

template <class Tag>
struct std::hash<thalweg::Id<Tag>> {
  std::size_t operator()(thalweg::Id<Tag> id) const { return static_cast<std::size_t>(id.index()); }
};
