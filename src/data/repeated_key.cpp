#include "data/repeated_key.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace thalweg::data {

namespace {

using Json = nlohmann::json;

/// Stops the parser at the first such key.
class Keys final : public nlohmann::json_sax<Json> {
 public:
  std::optional<std::string> twice = {};

  bool key(std::string& name) override {
    open_.back().last = name;
    if (open_.back().seen.insert(name).second) return true;
    twice.emplace();
    for (const Object& object : open_) *twice += (twice->empty() ? "" : ".") + object.last;
    return false;
  }
  bool start_object(std::size_t) override {
    open_.emplace_back();
    return true;
  }
  bool end_object() override {
    open_.pop_back();
    return true;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(Json::number_integer_t) override { return true; }
  bool number_unsigned(Json::number_unsigned_t) override { return true; }
  bool number_float(Json::number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

 private:
  struct Object {  // whose end was not read yet
    std::set<std::string> seen = {};
    std::string last = {};
  };
  std::vector<Object> open_;
};

}  // namespace

std::optional<std::string> repeated_key(std::string_view json) {
  Keys keys;
  (void)Json::sax_parse(json, &keys);
  return keys.twice;
}

}  // namespace thalweg::data
