// Converts fitted preprocessing to and from the JSON in a model file.

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <variant>

#include "core/error.hpp"
#include "core/nesting.hpp"
#include "core/utf8.hpp"
#include "core/whole_number.hpp"
#include "data/preprocessing.hpp"
#include "data/repeated_key.hpp"
#include "data/row_size.hpp"

namespace thalweg::data {

namespace {

using Json = nlohmann::ordered_json;
constexpr int format_version = 1;
constexpr int deepest = 8;  // levels of nesting; the pair of a merge, or a level of a feature, is the fourth

Json to_json(const Affine& affine) { return {{"shift", affine.shift}, {"scale", affine.scale}}; }

Json to_json(const NumberForm& form) {
  const auto text = [](char c) { return c == '\0' ? std::string() : std::string(1, c); };
  return {{"decimal", text(form.decimal)}, {"group", text(form.group)}, {"percent", form.percent}};
}

Json to_json(const Schema::Feature& feature, const FeatureEncoding& encoding) {
  Json json = {{"name", feature.name}, {"kind", name(feature.kind)}, {"marks_missing", encoding.marks_missing}};
  if (feature.kind == ColumnKind::category) {
    json["levels"] = encoding.levels;
    if (encoding.pools) json["pools"] = true;
    return json;
  }
  json["affine"] = to_json(encoding.affine);
  json["fill"] = encoding.fill;
  if (!feature.form.plain()) json["form"] = to_json(feature.form);
  if (feature.kind == ColumnKind::date) {
    json["order"] = name(feature.order);
    json["clock"] = encoding.clock;
  }
  return json;
}

Json to_json(const TablePreprocessing& table) {
  const Schema& schema = table.schema();
  Json features = Json::array();
  for (std::size_t i = 0; i < schema.features.size(); ++i) {
    features.push_back(to_json(schema.features[i], table.encodings()[i]));
  }
  Json json = {{"format", format_version},
               {"kind", "table"},
               {"task", name(schema.task)},
               {"target", schema.target},
               {"target_affine", to_json(table.target())},
               {"classes", schema.classes},
               {"weight", schema.weight},
               {"missing", name(schema.missing)},
               {"features", std::move(features)}};
  if (schema.levels != LevelBounds{}) json["level_bounds"] = {schema.levels.rare, schema.levels.most};
  if (schema.levels.embed > 0) json["embed_levels"] = schema.levels.embed;
  if (!schema.target_form.plain()) json["target_form"] = to_json(schema.target_form);
  if (schema.layout.separator) json["separator"] = std::string(1, *schema.layout.separator);
  if (!schema.layout.header) json["header"] = false;
  return json;
}

Json to_json(const TensorPreprocessing& tensor) {
  const auto sizes = tensor.input.sizes();
  return {{"format", format_version},
          {"kind", "tensor"},
          {"task", name(tensor.task)},
          {"classes", tensor.classes},
          {"input", std::vector<std::int64_t>(sizes.begin(), sizes.end())},
          {"dtype", name(tensor.dtype)},
          {"affine", to_json(tensor.affine)}};
}

Json to_json(const TextPreprocessing& text) {
  Json json = {{"format", format_version},
               {"kind", "text"},
               {"tokenizer", name(text.tokenizer.kind())},
               {"sequence_length", text.sequence_length}};
  if (text.tokenizer.kind() == Tokenizer::Kind::characters) json["characters"] = text.tokenizer.alphabet();
  if (text.tokenizer.kind() == Tokenizer::Kind::bpe) json["merges"] = text.tokenizer.merges();
  return json;
}

Json to_json(const SoundPreprocessing& sound) {
  const StepOptions& steps = sound.steps;
  Json json = {{"format", format_version}, {"kind", "sound"},          {"rate", steps.rate},
               {"bands", steps.bands},     {"window", steps.window},   {"hop", steps.hop},
               {"frames", steps.frames},   {"letters", sound.letters}, {"floor", steps.floor}};
  if (!steps.standardise) {
    json["mean"] = sound.mean;
    json["deviation"] = sound.deviation;
  }
  return json;
}

Json to_json(const WordPreprocessing& words) {
  return {{"format", format_version}, {"kind", "words"},        {"words", words.words},
          {"rare", words.rare},       {"length", words.length}, {"classes", words.classes}};
}

Json to_json(const SequencePreprocessing& sequences) {
  const auto side = [](const Alphabet& alphabet, const std::string& name) {
    return Json{{"name", name}, {"words", alphabet.words}, {"symbols", alphabet.symbols}};
  };
  return {{"format", format_version},
          {"kind", "sequences"},
          {"source", side(sequences.source, sequences.source_name)},
          {"target", side(sequences.target, sequences.target_name)},
          {"longest", sequences.longest}};
}

[[noreturn]] void damaged(std::string_view what) { fail<ModelError>("[preprocessing] damaged: {}", what); }

/// The double in a field, which must be finite.
double number_of(const Json& json, const char* key) {
  const Json& value = json.at(key);
  if (!value.is_number()) damaged(fmt::format("'{}' is not a number", key));
  const double number = value.get<double>();
  if (!std::isfinite(number)) damaged(fmt::format("'{}' is not finite", key));
  return number;
}

template <class E>
E name_of(const Json& json, const char* key) {
  const auto text = json.at(key).get<std::string>();
  if (const auto value = named<E>(text)) return *value;
  damaged(fmt::format("{} = '{}'", key, text));
}

DType dtype_of(const std::string& text) {
  for (const DType dtype : {f32, f64, i32, u8}) {
    if (name(dtype) == text) return dtype;
  }
  damaged(fmt::format("dtype = '{}'", text));
}

Affine affine_of(const Json& json, const char* key) {
  const Json& affine = json.at(key);
  return {.shift = number_of(affine, "shift"), .scale = number_of(affine, "scale")};
}

/// The plain form if the key is missing.
NumberForm form_of(const Json& json, const char* key) {
  if (!json.contains(key)) return {};
  const Json& form = json.at(key);
  const auto decimal = form.at("decimal").get<std::string>(), group = form.at("group").get<std::string>();
  if ((decimal != "." && decimal != ",") || group.size() > 1 || (!group.empty() && group.find_first_of(",. ") != 0))
    damaged(fmt::format("{} = '{}' and '{}'", key, decimal, group));
  return {decimal[0], group.empty() ? '\0' : group[0], form.at("percent").get<bool>()};
}

TableLayout layout_of(const Json& json) {
  TableLayout layout{.header = json.value("header", true)};
  if (const auto separator = json.value("separator", std::string()); !separator.empty()) {
    if (separator != "," && separator != ";" && separator != "\t") damaged(fmt::format("separator = '{}'", separator));
    layout.separator = separator[0];
  }
  return layout;
}

TablePreprocessing table_of(const Json& json) {
  Schema schema{.target = json.at("target").get<std::string>(),
                .target_form = form_of(json, "target_form"),
                .weight = json.at("weight").get<std::string>(),
                .task = name_of<Task>(json, "task"),
                .classes = json.at("classes").get<std::vector<std::string>>(),
                .missing = name_of<Missing>(json, "missing")};
  if (json.contains("level_bounds")) {
    const Json& bounds = json.at("level_bounds");
    schema.levels = {whole_number(bounds, 0), whole_number(bounds, 1)};
  }
  if (json.contains("embed_levels")) schema.levels.embed = whole_number(json, "embed_levels");
  schema.layout = layout_of(json);
  std::vector<FeatureEncoding> encodings;
  for (const Json& item : json.at("features")) {
    schema.features.push_back({item.at("name").get<std::string>(), name_of<ColumnKind>(item, "kind")});
    FeatureEncoding& encoding = encodings.emplace_back();
    encoding.marks_missing = item.at("marks_missing").get<bool>();
    Schema::Feature& feature = schema.features.back();
    if (feature.kind == ColumnKind::category) {
      encoding.levels = item.at("levels").get<std::vector<std::string>>();
      encoding.pools = item.value("pools", false);
      continue;
    }
    encoding.affine = affine_of(item, "affine");
    encoding.fill = number_of(item, "fill");
    feature.form = form_of(item, "form");
    if (feature.kind == ColumnKind::number) continue;
    feature.order = name_of<DateOrder>(item, "order");
    encoding.clock = item.at("clock").get<bool>();
  }
  return {std::move(schema), std::move(encodings), affine_of(json, "target_affine")};
}

Shape shape_of(const Json& json) {
  std::vector<std::int64_t> sizes;
  for (std::size_t axis = 0; axis < json.get_ref<const Json::array_t&>().size(); ++axis)
    sizes.push_back(whole_number(json, axis));
  return Shape(std::span<const std::int64_t>(sizes));
}

TensorPreprocessing tensor_of(const Json& json) {
  TensorPreprocessing tensor{.input = shape_of(json.at("input")),
                             .affine = affine_of(json, "affine"),
                             .task = name_of<Task>(json, "task"),
                             .classes = json.at("classes").get<std::vector<std::string>>()};
  if (tensor.input.size() == 0) damaged("an input without elements");
  if (tensor.input.size() > most_in_row)
    damaged(fmt::format("rows of {}. Wanted: at most {} numbers", tensor.input, most_in_row));
  tensor.dtype = dtype_of(json.at("dtype").get<std::string>());
  return tensor;
}

std::vector<Tokenizer::Pair> merges_of(const Json& json) {
  const auto token = [](const Json& pair, int side) {
    return static_cast<std::int32_t>(whole_number(pair, side, 0, std::numeric_limits<std::int32_t>::max()));
  };
  std::vector<Tokenizer::Pair> merges;
  for (const Json& pair : json.get_ref<const Json::array_t&>()) merges.emplace_back(token(pair, 0), token(pair, 1));
  return merges;
}

Tokenizer tokenizer_of(const Json& json) {
  switch (name_of<Tokenizer::Kind>(json, "tokenizer")) {
    case Tokenizer::Kind::bytes: return Tokenizer::bytes();
    case Tokenizer::Kind::characters: return Tokenizer::characters(json.at("characters").get<std::string>());
    case Tokenizer::Kind::bpe: return Tokenizer::bpe(merges_of(json.at("merges")));
  }
  damaged("tokenizer");
}

TextPreprocessing text_of(const Json& json) {
  TextPreprocessing text{tokenizer_of(json), whole_number(json, "sequence_length")};
  if (text.sequence_length < 1) damaged(fmt::format("sequence_length = {}", text.sequence_length));
  return text;
}

SoundPreprocessing sound_of(const Json& json) {
  SoundPreprocessing sound{.letters = json.at("letters").get<std::vector<std::string>>()};
  constexpr std::int64_t most = 1'000'000;
  const auto size = [&](const char* key) {
    const auto value = whole_number(json, key);
    if (value < 1 || value > most) damaged(fmt::format("{} = {}", key, value));
    return value;
  };
  sound.steps = {size("rate"), size("bands"), size("window"), size("hop"), size("frames")};
  if (!has_room(sound.steps)) damaged(fmt::format("{} bands of windows of {}", sound.steps.bands, sound.steps.window));
  sound.steps.floor = json.value("floor", sound.steps.floor);
  if (!(sound.steps.floor > 0 && std::isfinite(sound.steps.floor)))
    damaged(fmt::format("floor = {}", sound.steps.floor));
  sound.steps.standardise = !json.contains("mean");
  if (!sound.steps.standardise) {
    sound.mean = json.at("mean").get<std::vector<double>>();
    sound.deviation = json.at("deviation").get<std::vector<double>>();
    const auto is_finite = [](double x) { return std::isfinite(x); };
    const bool fits = std::ssize(sound.mean) == sound.steps.bands && std::ssize(sound.deviation) == sound.steps.bands &&
                      std::ranges::all_of(sound.mean, is_finite) &&
                      std::ranges::all_of(sound.deviation, [](double x) { return x > 0 && std::isfinite(x); });
    if (!fits) damaged(fmt::format("mean and deviation of {} bands", sound.steps.bands));
  }
  for (const std::string& letter : sound.letters) {
    if (letter.empty() || utf8_length(letter) != letter.size()) damaged(fmt::format("the letter '{}'", letter));
  }
  return sound;
}

WordPreprocessing words_of(const Json& json) {
  WordPreprocessing words{.words = json.at("words").get<std::vector<std::string>>(),
                          .rare = whole_number(json, "rare"),
                          .length = whole_number(json, "length"),
                          .classes = json.at("classes").get<std::vector<std::string>>()};
  WordOptions options{static_cast<std::int64_t>(words.words.size()), words.rare, words.length};
  check_fields(options.fields(), "words");
  if (words.classes.size() == 1) damaged("one class");
  return words;
}

Alphabet alphabet_of(const Json& side) {
  Alphabet alphabet{side.at("words").get<bool>(), side.at("symbols").get<std::vector<std::string>>()};
  if (alphabet.symbols.empty() || alphabet.size() > most_symbols)
    damaged(fmt::format("{} symbols", alphabet.symbols.size()));
  for (const std::string& symbol : alphabet.symbols) {
    if (!is_utf8(symbol) || pieces_of(symbol, alphabet.words, "preprocessing") != std::vector<std::string_view>{symbol})
      damaged(fmt::format("the symbol '{}'", symbol));
  }
  const auto twice = std::ranges::adjacent_find(alphabet.symbols, std::greater_equal<>{});
  if (twice != alphabet.symbols.end()) damaged(fmt::format("'{}' out of order", *twice));
  return alphabet;
}

SequencePreprocessing sequences_of(const Json& json) {
  const Json &source = json.at("source"), &target = json.at("target");
  SequencePreprocessing sequences{.source = alphabet_of(source),
                                  .target = alphabet_of(target),
                                  .source_name = source.at("name").get<std::string>(),
                                  .target_name = target.at("name").get<std::string>(),
                                  .longest = whole_number(json, "longest")};
  if (sequences.longest < 1 || sequences.longest > most_tokens) damaged(fmt::format("longest = {}", sequences.longest));
  return sequences;
}

}  // namespace

Task Preprocessing::task() const {
  return table() ? table()->schema().task : tensor() ? tensor()->task : text() ? Task::language : Task::other;
}

const std::vector<std::string>& Preprocessing::classes() const {
  static const std::vector<std::string> none;
  return table()       ? table()->schema().classes
         : tensor()    ? tensor()->classes
         : sound()     ? sound()->letters
         : words()     ? words()->classes
         : sequences() ? sequences()->target.symbols
                       : none;
}

std::string Preprocessing::json() const {
  try {
    return std::visit([](const auto& kind) { return to_json(kind).dump(2); }, kind_);
  } catch (const Json::exception&) {
    fail<UsageError>("[preprocessing] a name is not UTF-8");
  }
}

Preprocessing Preprocessing::from_json(std::string_view text) {
  try {
    if (!nests_within(text, deepest)) damaged("values nested too deep");
    const Json json = Json::parse(text);
    if (const auto twice = repeated_key(text)) damaged(fmt::format("'{}' is there twice", *twice));
    if (whole_number(json, "format") != format_version) damaged("a format that this version does not know");
    const auto kind = json.at("kind").get<std::string>();
    if (kind == "table") return table_of(json);
    if (kind == "tensor") return tensor_of(json);
    if (kind == "text") return text_of(json);
    if (kind == "sound") return sound_of(json);
    if (kind == "words") return words_of(json);
    if (kind == "sequences") return sequences_of(json);
    damaged(fmt::format("kind = '{}'", kind));
  } catch (const Json::exception& error) {
    damaged(error.what());
  } catch (const UsageError& error) {  // an impossible shape
    damaged(error.what());
  } catch (const DataError& error) {  // invalid characters
    damaged(error.what());
  }
}

}  // namespace thalweg::data
