// thalweg predict: reads rows and writes rows. The memory does not grow with their number.

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/answers.hpp"
#include "cli/at_limits.hpp"
#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/device.hpp"
#include "cli/looped.hpp"
#include "cli/output.hpp"
#include "cli/recommender.hpp"
#include "cli/text_output.hpp"
#include "cli/texts.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "data/csv.hpp"
#include "data/sequences.hpp"
#include "options/nearest_name.hpp"
#include "run/model_parts.hpp"
#include "run/trained_system.hpp"
#include "thalweg/data.hpp"

namespace thalweg::cli {

namespace {

struct PredictArguments {
  std::string run, data, images, separator = "auto", keep, device = "cpu";
  std::optional<std::string> user;
  std::optional<std::int64_t> top;
  SequenceSearch search = {};
  bool no_header = false;
  [[nodiscard]] std::int64_t best() const { return top.value_or(10); }
};

/// The kind of input of a model. Options without effect on it are refused, because the user expects an effect.
enum class From { table, sequences, dictionary, lines, images, user };

void check_options(const PredictArguments& given, From from) {
  using enum From;
  struct Row {
    const char* options;
    bool is_given;
    std::vector<From> of;
    const char* wanted;
  };
  const Row rows[] = {
      {"--keep", !given.keep.empty(), {table, sequences, dictionary}, "models of tables"},
      {"--no-header", given.no_header, {table, sequences}, "models of tables"},
      {"--separator", given.separator != "auto", {table, sequences}, "models of tables"},
      {"--data", !given.data.empty(), {table, sequences, dictionary, lines}, "models of tables and of lines of text"},
      {"--images", !given.images.empty(), {images}, "models of images"},
      {"--user", given.user.has_value(), {user}, "recommenders"},
      {"--top", given.top.has_value(), {lines, user}, "models of lines of text, and for recommenders with --user"},
      {"--beam and --length-penalty",
       given.search.beam || given.search.length_penalty,
       {sequences, dictionary},
       "models that write sequences"}};
  for (const Row& row : rows) {
    if (row.is_given && std::ranges::find(row.of, from) == row.of.end())
      fail<UsageError>("[predict] {} has no effect for {}. Wanted: it is for {}", row.options, shown(given.run),
                       row.wanted);
  }
}

constexpr std::int64_t rows_at_once = 256;

using Cells = std::vector<std::string>;

/// The names and the number of the classes.
enum class Knows { probability, score };

/// Writes predictions: the number, and its standard deviation if the loss predicts that; or the class, and then the
/// probability or score of each class. Kept columns come first.
class Writer {
 public:
  /// `target` is the name of the predicted number or class.
  Writer(std::string target, bool regression, Cells classes, Cells kept, bool json, Knows knows = Knows::probability)
      : classes_(std::move(classes)),
        target_(std::move(target)),
        kept_(std::move(kept)),
        taken_(kept_),
        json_(json),
        regression_(regression),
        column_(knows == Knows::score ? "score({})" : "p({})"),
        of_classes_(knows == Knows::score ? "scores" : "probabilities") {
    target_ = unused(target_);
    taken_.push_back(target_);
    of_classes_ = unused(of_classes_);
  }

  void header(std::int64_t outputs) {
    if (json_) return;
    Cells names = kept_;
    names.push_back(target_);
    if (regression_ && outputs == 2) names.push_back(unused(deviation));
    for (std::int64_t c = 0; !regression_ && c < outputs; ++c)
      names.push_back(unused(fmt::format(fmt::runtime(column_), class_name(c))));
    line(names);
  }

  /// `kept` has the cells of the kept columns of each row; it is empty if no columns are kept.
  void rows(const Tensor& predictions, const std::vector<Cells>& kept = {}) {
    const std::int64_t outputs = predictions.shape()[1];
    for (std::int64_t row = 0; row < predictions.shape()[0]; ++row) {
      const Cells& own = kept.empty() ? none_ : kept[static_cast<std::size_t>(row)];
      const Tensor one = predictions.rows(row, row + 1).reshape({outputs});
      json_ ? json_row(one, own) : csv_row(one, own);
    }
  }

 private:
  /// A name that differs from the target and from all kept columns.
  [[nodiscard]] std::string unused(std::string name) const {
    while (std::ranges::find(taken_, name) != taken_.end()) name = "predicted " + name;
    return name;
  }
  [[nodiscard]] std::string class_name(std::int64_t c) const {
    return classes_.empty() ? std::to_string(c) : classes_[static_cast<std::size_t>(c)];
  }
  [[nodiscard]] std::string likeliest(const Tensor& row) const {
    const auto values = row.values<float>();
    return class_name(std::ranges::max_element(values) - values.begin());
  }
  /// The shortest text that gives exactly this number in its own type.
  [[nodiscard]] static std::string text_of(const Tensor& row, std::int64_t i) {
    return row.dtype() == f64 ? fmt::format("{}", row.at(i)) : fmt::format("{}", static_cast<float>(row.at(i)));
  }

  void csv_row(const Tensor& row, Cells cells) {
    if (!regression_) cells.push_back(likeliest(row));
    for (std::int64_t i = 0; i < row.size(); ++i) cells.push_back(text_of(row, i));
    line(cells);
  }

  void json_row(const Tensor& row, const Cells& kept) {
    nlohmann::ordered_json object;
    for (std::size_t i = 0; i < kept.size(); ++i) object[kept_[i]] = kept[i];
    if (regression_) {
      object[target_] = row.at(0);
      if (row.size() == 2) object[unused(deviation)] = row.at(1);
    } else {
      object[target_] = likeliest(row);
      for (std::int64_t c = 0; c < row.size(); ++c)
        object[of_classes_][class_name(c)] = row.values<float>()[static_cast<std::size_t>(c)];
    }
    emit_line_of(object);
  }

  static void line(const Cells& cells) {
    TextOutput().add(data::csv_line(std::vector<std::string_view>(cells.begin(), cells.end())));
  }

  static constexpr const char* deviation = "deviation";

  std::vector<std::string> classes_;
  std::string target_;
  Cells kept_, taken_;
  const Cells none_ = {};
  bool json_, regression_;
  const char* column_;  // the name of a class in the header
  std::string of_classes_;
};

Knows known_by(const LossFunction& loss) { return loss.traits().scores ? Knows::score : Knows::probability; }

/// Encodes the rows of a table, and predicts them when a batch is full.
class Encoder {
 public:
  Encoder(const data::TablePreprocessing& fitted, const data::CsvReader& reader)
      : fitted_(fitted),
        columns_(fitted.match(reader.header(), reader.name())),
        cells_(columns_.size()),
        unknown_(columns_.size()),
        input_({rows_at_once, fitted.width()}) {}

  void add(const data::CsvReader& reader) {
    const auto cells = reader.cells();
    for (std::size_t i = 0; i < columns_.size(); ++i) cells_[i] = cells[columns_[i]];
    const auto width = static_cast<std::size_t>(fitted_.width());
    const auto into = input_.mutable_values<float>().subspan(static_cast<std::size_t>(rows_++) * width, width);
    fitted_.encode_row(cells_, into, unknown_, {reader.name(), reader.line()});
  }
  [[nodiscard]] bool full() const { return rows_ == rows_at_once; }
  [[nodiscard]] Tensor take() { return input_.rows(0, std::exchange(rows_, 0)); }

  void warn() const {
    for (std::size_t i = 0; i < unknown_.size(); ++i) {
      if (unknown_[i] == 0) continue;
      const data::Schema::Feature& feature = fitted_.schema().features[i];
      const std::string values = counted(unknown_[i], "values");
      if (feature.kind == data::ColumnKind::category) {
        say("warning: column {}: {} that the training data did not have, or missing; treated as none of its levels\n",
            feature.name, values);
      } else {
        say("warning: column {}: {} missing, but none was missing in training: the median is used\n", feature.name,
            values + (unknown_[i] == 1 ? " is" : " are"));
      }
    }
  }

 private:
  const data::TablePreprocessing& fitted_;
  std::vector<std::size_t> columns_;
  std::vector<std::string_view> cells_;
  std::vector<std::int64_t> unknown_;
  Tensor input_;
  std::int64_t rows_ = 0;
};

/// The columns named in `--keep`: their places in the file. "*" is all of them.
std::vector<std::size_t> kept_columns(const std::string& keep, const Cells& header, const std::string& file) {
  std::vector<std::size_t> places;
  const auto place_of = [&](const std::string& name) {
    return static_cast<std::size_t>(std::ranges::find(header, name) - header.begin());
  };
  Cells names = keep.empty() ? Cells{} : data::split_names(keep);
  if (keep == "*") names = header;
  if (place_of(keep) < header.size()) names = {keep};
  for (const std::string& name : names) {
    const std::size_t place = place_of(name);
    if (std::ranges::find(places, place) != places.end()) continue;  // the column was named twice
    places.push_back(place);
    if (place < header.size()) continue;
    fail<UsageError>("[predict] --keep names the column '{}', and {} has none. Hint: {}", name, file,
                     name_hint(name, header));
  }
  return places;
}
std::vector<std::size_t> kept_columns(const std::string& keep, const data::CsvReader& reader) {
  return kept_columns(keep, reader.header(), reader.name());
}

void predict_table(const Model& model, data::CsvReader& reader, const std::string& keep, const Context& context) {
  const data::TablePreprocessing& fitted = *model.parts().recipe.preprocessing.table();
  Encoder encoder(fitted, reader);
  const std::vector<std::size_t> columns = kept_columns(keep, reader);
  Cells names;
  for (const std::size_t column : columns) names.push_back(reader.header()[column]);
  const bool regression = fitted.schema().task == data::Task::regression;
  Writer writer(fitted.schema().target, regression, model.classes(), std::move(names), context.json,
                known_by(*model.parts().loss));
  AtLimits at_limits(model.parts().recipe);
  std::vector<Cells> kept;
  writer.header(regression ? model.parts().outputs : static_cast<std::int64_t>(model.classes().size()));
  const auto hand_on = [&] {
    const Tensor predictions = model.predict_encoded(encoder.take());
    at_limits.add(predictions);
    writer.rows(predictions, kept);
    kept.clear();
    flush_output();
  };
  while (reader.next()) {
    encoder.add(reader);
    if (!columns.empty()) kept.emplace_back();
    for (const std::size_t column : columns) kept.back().emplace_back(reader.cells()[column]);
    if (encoder.full()) hand_on();
  }
  hand_on();
  if (context.quiet) return;
  encoder.warn();
  at_limits.warn();
}

void predict_images(const Model& model, const std::string& path, const Context& context) {
  if (path.empty()) fail<UsageError>("[predict] this is a model of images. Hint: --images FILE.");
  Tensor images = data::idx(path);
  const Shape& row = model.parts().recipe.input().shape;
  const std::int64_t count = images.shape().rank() > 0 ? images.shape()[0] : 0;
  Shape wanted{count};
  for (const std::int64_t size : row) wanted.push_back(size);
  if (wanted.size() != images.size()) {
    fail<DataError>("[predict] {} holds {}. Wanted: images of {}", path, images.shape(), row);
  }
  images = images.reshape(wanted);
  Writer writer("class", model.parts().recipe.preprocessing.task() == data::Task::regression, model.classes(), {},
                context.json, known_by(*model.parts().loss));
  writer.header(model.parts().outputs);
  for (std::int64_t begin = 0; begin < count; begin += rows_at_once) {
    writer.rows(model.predict_encoded(images.rows(begin, std::min(count, begin + rows_at_once))));
  }
}

/// Predicts the probability of each class for a column of texts.
void predict_texts(TrainedTexts& trained, data::CsvReader& reader, const std::string& keep, const Context& context) {
  const std::string& column = trained.config.texts.text;
  const auto found = std::ranges::find(reader.header(), column);
  if (found == reader.header().end())
    fail<DataError>("[predict] {} has no column '{}', whose texts the model reads. Hint: {}", reader.name(), column,
                    name_hint(column, reader.header()));
  const auto place = static_cast<std::size_t>(found - reader.header().begin());
  const std::vector<std::size_t> columns = kept_columns(keep, reader);
  Cells names;
  for (const std::size_t kept : columns) names.push_back(reader.header()[kept]);
  const std::vector<std::string>& classes = trained.model.classes();
  const auto count = std::ssize(classes);
  const Knows knows = trained.model.gives_scores() ? Knows::score : Knows::probability;
  Writer writer(trained.config.texts.target, false, classes, std::move(names), context.json, knows);
  writer.header(count);
  constexpr std::int32_t any = 0;  // a prediction does not depend on the target
  Tensor row({1, count}, f32);
  while (reader.next()) {
    const data::SparseRow words = trained.model.row(reader.cells()[place]);
    const auto predicted = trained.model.linear().predict({&words, 1}, {&any, 1}).predictions;
    for (std::int64_t c = 0; c < count; ++c)
      row.set(c, predicted.size() == 1 ? (c == 1 ? predicted[0] : 1 - predicted[0])
                                       : predicted[static_cast<std::size_t>(c)]);
    Cells kept;
    for (const std::size_t column_kept : columns) kept.emplace_back(reader.cells()[column_kept]);
    writer.rows(row, kept.empty() ? std::vector<Cells>{} : std::vector<Cells>{std::move(kept)});
  }
  flush_output();
}

/// Predicts the rating of each row of a table with users, items and side columns.
void predict_ratings(const Recommender& recommender, data::CsvReader& reader, const std::string& keep,
                     const Context& context) {
  std::vector<std::size_t> places;
  for (const std::string& column : recommender.config().columns.features()) {
    const auto found = std::ranges::find(reader.header(), column);
    if (found == reader.header().end())
      fail<DataError>("[predict] {} has no column '{}'. Hint: {}", reader.name(), column,
                      name_hint(column, reader.header()));
    places.push_back(static_cast<std::size_t>(found - reader.header().begin()));
  }
  const std::vector<std::size_t> columns = kept_columns(keep, reader);
  Cells names;
  for (const std::size_t column : columns) names.push_back(reader.header()[column]);
  Writer writer(recommender.config().columns.rating, true, {}, std::move(names), context.json);
  writer.header(1);
  Tensor value({1, 1}, f64);
  std::vector<std::string_view> cells(places.size());
  std::int64_t users = 0, items = 0;
  while (reader.next()) {
    std::ranges::transform(places, cells.begin(), [&](std::size_t place) { return reader.cells()[place]; });
    const Recommender::Rating rating = recommender.rating(cells);
    users += rating.user_known ? 0 : 1;
    items += rating.item_known ? 0 : 1;
    value.set(0, rating.value);
    Cells kept;
    for (const std::size_t column : columns) kept.emplace_back(reader.cells()[column]);
    writer.rows(value, kept.empty() ? std::vector<Cells>{} : std::vector<Cells>{std::move(kept)});
  }
  flush_output();
  if (context.quiet || users + items == 0) return;
  say("warning: {} of users and {} of items that were never seen, predicted from what else is known about them\n",
      counted(users, "rows"), with_commas(items));
}

/// Writes the output for each source, and the logarithm of its probability. Kept columns come first.
class SequenceLines {
 public:
  SequenceLines(const TrainedSystem& trained, const PredictArguments& arguments, const Cells& kept, bool json)
      : trained_(trained), search_(arguments.search), names_(kept), json_(json) {
    for (std::string name : {trained.preprocessing.sequences()->target_name, std::string("log_probability")}) {
      while (std::ranges::find(names_, name) != names_.end()) name = "predicted " + name;
      names_.push_back(std::move(name));
    }
    if (!json_) line(names_);
  }

  void add(SequenceSource source, Cells kept) {
    sources_.push_back(std::move(source));
    lines_.push_back(std::move(kept));
    if (std::ssize(sources_) == rows_at_once) write();
  }

  void write() {
    if (sources_.empty()) return;
    const std::vector<SequenceOutput> outputs = trained_.system.write(trained_.state, sources_, search_);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      Cells& cells = lines_[i];
      cells.push_back(outputs[i].text);
      cells.push_back(fmt::format("{:.6g}", outputs[i].log_probability));
      if (!json_) {
        line(cells);
        continue;
      }
      nlohmann::ordered_json object;
      for (std::size_t c = 0; c + 1 < cells.size(); ++c) object[names_[c]] = cells[c];
      object[names_.back()] = outputs[i].log_probability;
      emit_line_of(object);
    }
    flush_output();
    sources_.clear();
    lines_.clear();
  }

 private:
  static void line(const Cells& cells) {
    TextOutput().add(data::csv_line(std::vector<std::string_view>(cells.begin(), cells.end())));
  }

  const TrainedSystem& trained_;
  SequenceSearch search_;
  Cells names_;
  bool json_;
  std::vector<SequenceSource> sources_ = {};
  std::vector<Cells> lines_ = {};
};

/// The cells, or names, at these places.
template <class Row>
Cells at_places(const Row& row, const std::vector<std::size_t>& places) {
  Cells cells;
  for (const std::size_t place : places) cells.emplace_back(row[place]);
  return cells;
}

void predict_sequences(const TrainedSystem& trained, data::CsvReader& reader, const PredictArguments& arguments,
                       const Context& context) {
  const std::string& column = trained.preprocessing.sequences()->source_name;
  const std::vector<std::size_t> kept = kept_columns(arguments.keep, reader);
  const auto found = std::ranges::find(reader.header(), column);
  if (found == reader.header().end())
    fail<DataError>("[predict] {} has no column '{}', whose texts are read. Hint: {}", reader.name(), column,
                    name_hint(column, reader.header()));
  const auto place = static_cast<std::size_t>(found - reader.header().begin());
  SequenceLines lines(trained, arguments, at_places(reader.header(), kept), context.json);
  while (reader.next())
    lines.add({std::string(reader.cells()[place]), fmt::format("{}, line {}", reader.name(), reader.line())},
              at_places(reader.cells(), kept));
  lines.write();
}

/// A dictionary is read as a table of two columns. Its words may lack their sounds.
void predict_dictionary(const TrainedSystem& trained, const PredictArguments& arguments, const Context& context) {
  const data::SequencePreprocessing& sequences = *trained.preprocessing.sequences();
  const Cells columns = {sequences.source_name, sequences.target_name};
  const std::vector<std::size_t> kept = kept_columns(arguments.keep, columns, arguments.data);
  SequenceLines lines(trained, arguments, at_places(columns, kept), context.json);
  for (const data::SequencePair& pair : data::read_dictionary(arguments.data, data::Sounds::may_lack))
    lines.add({pair.source, fmt::format("{}, line {}", arguments.data, pair.line)},
              at_places(Cells{pair.source, pair.target}, kept));
  lines.write();
}

/// Writes what to recommend to a user.
int recommend(const Recommender& recommender, const PredictArguments& arguments, const Context& context) {
  const std::string& user = *arguments.user;
  if (!recommender.knows_user(user) && !context.quiet)
    say("warning: the user '{}' was never seen; the recommendations depend on the items alone\n", user);
  for (const auto& [name, rating] : recommender.best_for(user, arguments.best())) {
    if (context.json) {
      emit_line_of(nlohmann::ordered_json{{recommender.config().columns.item, name},
                                          {recommender.config().columns.rating, rating}});
    } else {
      emit("{:.3f}  {}\n", rating, shown(name));
    }
  }
  return 0;
}

/// Calls `predict` with a reader of the table or of standard input. Separator and header are those of the training
/// data, unless the arguments give others.
template <class Predict>
int with_reader(const PredictArguments& arguments, data::TableLayout layout, const Predict& predict) {
  if (const auto separator = data::separator_named(arguments.separator)) layout.separator = separator;
  layout.header = layout.header && !arguments.no_header;
  if (arguments.data.empty()) {
    data::CsvReader reader(STDIN_FILENO, "standard input", layout.separator, layout.header);
    predict(reader);
  } else {
    data::CsvReader reader(arguments.data, layout.separator, layout.header);
    predict(reader);
  }
  return 0;
}

int predict_with_system(const TrainedSystem& trained, const PredictArguments& arguments, const Context& context) {
  if (!trained.system.write) {
    if (trained.system.answer)
      check_options(arguments, From::lines);  // otherwise the error would be that it has no answers
    return answer_lines(arguments.run, arguments.data, arguments.best(), context);
  }
  const bool is_dictionary = data::is_dictionary(arguments.data);
  check_options(arguments, is_dictionary ? From::dictionary : From::sequences);
  if (is_dictionary) {
    predict_dictionary(trained, arguments, context);
    return 0;
  }
  return with_reader(arguments, {},
                     [&](data::CsvReader& reader) { predict_sequences(trained, reader, arguments, context); });
}

int predict_with_model(const Model& model, const PredictArguments& arguments, const Context& context) {
  if (model.parts().recipe.preprocessing.text()) {
    fail<UsageError>("[predict] this is a model of texts. Hint: thalweg generate {} --prompt \"...\"",
                     shell_quoted(arguments.run));
  }
  if (!model.parts().is_table()) {
    check_options(arguments, From::images);
    predict_images(model, arguments.images, context);
    return 0;
  }
  check_options(arguments, From::table);
  const data::TableLayout& layout = model.parts().recipe.preprocessing.table()->schema().layout;
  return with_reader(arguments, layout,
                     [&](data::CsvReader& reader) { predict_table(model, reader, arguments.keep, context); });
}

int run(const PredictArguments& arguments, const Context& context) {
  if (text_run(arguments.run) || looped_run(arguments.run))
    refuse_device(arguments.device, "recommenders and classifiers of texts are used");
  const DeviceInUse device(arguments.device);
  if (const auto texts = text_run(arguments.run)) {
    check_options(arguments, From::table);
    TrainedTexts trained = trained_texts(*texts, context.registry);
    return with_reader(arguments, {},
                       [&](data::CsvReader& reader) { predict_texts(trained, reader, arguments.keep, context); });
  }
  if (const auto trained = trained_recommender(arguments.run, context.registry)) {
    check_options(arguments, arguments.user ? From::user : From::table);
    if (arguments.user) return recommend(trained->recommender, arguments, context);
    return with_reader(arguments, {}, [&](data::CsvReader& reader) {
      predict_ratings(trained->recommender, reader, arguments.keep, context);
    });
  }
  if (holds_system(arguments.run))
    return predict_with_system(load_system(arguments.run, context.registry), arguments, context);
  return predict_with_model(Model::load(arguments.run, context.registry), arguments, context);
}

constexpr const char* examples = R"(Examples:
  thalweg predict runs/houses < new.csv > predicted.csv     columns are matched by name, others are ignored
  thalweg predict runs/iris --data new.csv --json           one object per line
  thalweg predict runs/iris --data new.csv --keep id,name   adds columns of the input; --keep '*' adds all of them
  thalweg predict runs/fashion --images t10k-images-idx3-ubyte.gz
  thalweg predict runs/spam --data mails.csv --keep subject   texts: the column that the configuration names
  thalweg predict runs/recommender --user 17 --top 5          items to recommend, with their expected ratings
  thalweg predict runs/masked --data lines.txt --top 3        words for each [MASK] of a line, with their probabilities
  thalweg predict runs/g2p --data words.csv --beam 8          sequences: the output for each source
  thalweg predict runs/g2p --data words.dict --keep source    the same for a dictionary (.dict, .txt), with each word

For each row of a table one line is written: the value; or the class and the probability of each class (for a hinge
loss a score, above 0 for the class); or the output sequence and the logarithm of its probability. For lines of text
(masked, text_encoder: no header, no columns), the line is written, and below it its answers with probabilities.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<PredictArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("--data", arguments->data, "Table, or lines of text, to predict from (standard input)");
  command.add_option("--images", arguments->images, "Images to predict from (IDX)");
  command.add_flag("--no-header", arguments->no_header,
                   "The table has no header: its columns are column 1, column 2, ... (as in the training data)");
  command.add_option("--user", arguments->user, "For a recommender: what to recommend to this user")->type_name("NAME");
  command.add_option("--top", arguments->top, "How many items, or words for each [MASK] (10)")
      ->check(in_range({.low = 1}));
  command
      .add_option("--beam", arguments->search.beam,
                  "For sequences: the width of the beam search (as trained; 1: always the likeliest token)")
      ->check(in_range({.low = 1, .high = 1000}));
  command
      .add_option("--length-penalty", arguments->search.length_penalty,
                  "For sequences: a score is the log-probability / ((5 + tokens) / 6)^P for this P (as trained)")
      ->check(in_range({.low = 0, .high = 10}));
  add_device_option(command, arguments->device);
  command.add_option("--keep", arguments->keep, "Columns of the table to write before the prediction: a,b,c, or *");
  command
      .add_option("--separator", arguments->separator,
                  "comma, semicolon or tab (as in training, or the most frequent one in the header)")
      ->check(CLI::IsMember({"auto", "comma", "semicolon", "tab"}));
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> predict_commands() {
  return {{"predict", "Predict rows: CSV in, CSV out", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli
