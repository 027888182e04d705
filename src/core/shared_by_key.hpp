#pragma once
// Objects that depend on a key alone and never change: whoever needs one with the same key gets the same object.

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace thalweg {

/// Of the objects in use, each once. Any thread may ask.
template <class T>
class SharedByKey {
 public:
  /// The object with this key. If none is in use, `make` returns a shared_ptr to a new one.
  template <class Make>
  [[nodiscard]] std::shared_ptr<const T> get(const std::string& key, Make make) {
    const std::lock_guard lock(mutex_);
    std::weak_ptr<const T>& known = known_[key];
    if (auto object = known.lock()) return object;
    auto object = make();
    known = object;
    if (known_.size() > 2 * in_use_at_last_look_ + 100) forget_unused();
    return object;
  }

 private:
  void forget_unused() {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    in_use_at_last_look_ = known_.size();
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<const T>> known_;
  std::size_t in_use_at_last_look_ = 0;
};

/// Puts the bytes of plain values behind a key.
template <class... Parts>
void add_to_key(std::string& key, const Parts&... parts) {
  (key.append(reinterpret_cast<const char*>(&parts), sizeof(parts)), ...);
}

}  // namespace thalweg
