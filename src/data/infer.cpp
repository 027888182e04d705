// Infers the types of a table's columns and the task, as far as the options leave them open.

#include <algorithm>
#include <map>
#include <numeric>

#include "core/counted.hpp"
#include "core/error.hpp"
#include "data/cell.hpp"
#include "data/column_summary.hpp"
#include "data/doubts.hpp"
#include "data/listed.hpp"
#include "data/remarks.hpp"
#include "options/nearest_name.hpp"

namespace thalweg::data {

namespace {

constexpr std::int64_t many_levels = 50;     // categories with more levels cause a warning
constexpr std::int64_t few_numbers = 20;     // at most this many different whole numbers may be classes
constexpr std::int64_t rows_per_class = 5;   // on average, for whole numbers to be classes
constexpr std::int64_t fewest_of_class = 3;  // in each of them: counts and years have rare values

/// One inference: the table, the user's options, and the result.
class Inferrer {
 public:
  Inferrer(const Table& table, TableOptions options) : table_(table), options_(std::move(options)) {
    check_fields(options_.fields(), "data");
    for (auto* names : {&options_.drop, &options_.features}) join_name(*names);
    result_.schema.target = options_.target;
    result_.schema.weight = options_.weight;
    result_.schema.missing = *named<Missing>(options_.missing);
    result_.schema.levels = {options_.rare_levels, options_.max_levels, options_.embed_levels};
    result_.schema.layout = {separator_named(options_.separator), options_.header};
  }

  Inference run() {
    check_names();
    choose_rows();
    decide_target();
    decide_features();
    for (std::string& remark : doubts_.remarks()) warn(std::move(remark));
    result_.rows = usable_rows(table_, result_.schema);
    note_rows();
    return std::move(result_);
  }

 private:
  void note(std::string line) { result_.notes.push_back(std::move(line)); }
  void warn(std::string line) { result_.warnings.push_back(std::move(line)); }

  /// If the whole list is the name of a column, it is that column: "a,b", unless a column is named "a".
  void join_name(std::vector<std::string>& names) const {
    const std::string whole = fmt::format("{}", fmt::join(names, ","));
    const bool all_known =
        std::ranges::all_of(names, [&](const std::string& name) { return table_.find(name).has_value(); });
    if (!all_known && table_.find(whole)) names = {whole};
  }

  void check_name(const std::string& column, std::string_view option) const {
    if (table_.find(column)) return;
    const std::string& first = table_.names().front();
    const std::string hint =
        table_.columns() > 1
            ? name_hint(column, table_.names())
            : fmt::format("its first line is one cell, '{}'; cells are separated by comma, semicolon or tab.", first);
    fail<UsageError>("[data] {} names the column '{}', and {} has none. Hint: {}", option, column, table_.file(), hint);
  }

  void check_names() const {
    if (options_.target.empty()) {
      fail<UsageError>("[data] no target. Hint: it is one of {}.", listed(table_.names()));
    }
    check_name(options_.target, "target");
    if (!options_.weight.empty()) check_name(options_.weight, "weight");
    for (const std::string& column : options_.drop) check_name(column, "drop");
    for (const std::string& column : options_.features) check_name(column, "features");
    for (const auto& [column, kind] : options_.types) {
      check_name(column, "types");
      static_cast<void>(wanted_kind(column, kind));
    }
    for (const std::string& column : options_.drop) check_role(column, "drop");
    for (const std::string& column : options_.features) check_role(column, "features");
    if (options_.weight == options_.target) fail<UsageError>("[data] '{}' is target and weight", options_.target);
  }

  void check_role(const std::string& column, std::string_view option) const {
    const bool dropped = option == "features" && contains(options_.drop, column);
    const std::string_view other = column == options_.target ? "target" : column == options_.weight ? "weight" : "drop";
    if (dropped || other != "drop") fail<UsageError>("[data] '{}' is in {} and in {}", column, option, other);
  }

  [[nodiscard]] static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  }

  [[nodiscard]] WantedKind wanted_of(const std::string& column) const {
    const auto found = options_.types.find(column);
    return found == options_.types.end() ? WantedKind{} : wanted_kind(column, found->second);
  }

  /// Chooses the rows from which everything is inferred: those whose weight is not 0.
  void choose_rows() {
    rows_.resize(static_cast<std::size_t>(table_.rows()));
    std::iota(rows_.begin(), rows_.end(), 0);
    if (options_.weight.empty()) return;
    const std::size_t target = *table_.find(options_.target), weight = *table_.find(options_.weight);
    std::erase_if(rows_, [&](std::int64_t row) {
      return !is_missing(table_.cell(row, target)) && weight_at(table_, row, weight) == 0;
    });
    if (rows_.empty()) fail<DataError>("[data] {}: every weight in '{}' is 0", table_.file(), options_.weight);
    weightless_ = table_.rows() - static_cast<std::int64_t>(rows_.size());
    if (auto remark = remark_on_weights(table_, weight, rows_)) warn(std::move(*remark));
  }

  void decide_target() {
    const std::string& target = options_.target;
    const std::size_t column = *table_.find(target);
    const Summary s = summarise(table_, column, rows_, true);
    std::vector<ClassRows> classes;
    result_.schema.task = decide_task(column, s, classes);
    const bool regression = result_.schema.task == Task::regression;
    const auto distinct = regression ? s.distinct() : static_cast<std::int64_t>(classes.size());
    if (distinct < 2) {
      fail<DataError>("[data] {}: the target '{}' has {}. Wanted: two values or more", table_.file(), target,
                      distinct == 0 ? "no value" : fmt::format("one value alone, '{}'", s.levels[0].text));
    }
    if (regression && !options_.types.contains(target)) doubts_.add(column, {.form = result_.schema.target_form});
    warn_of_target(column, s, regression);
    choose_positive(classes);
    for (const ClassRows& one : classes) result_.schema.classes.push_back(one.name);
    if (!regression && distinct > many_levels) {
      warn(fmt::format("the target {} has {} classes. Hint: task = \"regression\", if it is a number.", target,
                       distinct));
    }
    if (s.missing > 0) warn(fmt::format("rows without {}, left out: {}", target, s.missing));
  }

  void warn_of_target(std::size_t column, const Summary& s, bool regression) {
    if (regression) {
      for (std::string& remark : remarks_on_numbers(table_, column, rows_, s)) warn(std::move(remark));
    } else {
      const bool said = options_.task != "auto" || options_.types.contains(options_.target);
      for (std::string& remark : remarks_on_levels(options_.target, s, !said)) warn(std::move(remark));
      if (auto remark = said ? std::nullopt : remark_on_unread(options_.target, s)) warn(std::move(*remark));
    }
  }

  /// The task, and its classes if it has any.
  Task decide_task(std::size_t column, const Summary& s, std::vector<ClassRows>& classes) {
    WantedKind wanted = wanted_of(options_.target);
    const bool said = wanted.kind == ColumnKind::category;
    const auto task = named<Task>(options_.task);
    if (task == Task::regression && said)
      fail<UsageError>("[data] task = \"regression\", and {} is said to be a category. Hint: leave one of the two out.",
                       options_.target);
    if (task && !wanted.kind) wanted.kind = task == Task::regression ? ColumnKind::number : ColumnKind::category;
    const Meaning meaning = decide_meaning(table_, column, rows_, s, wanted);
    if (meaning.kind == ColumnKind::date) {
      fail<DataError>("[data] {}: the target '{}' holds dates. Hint: as a category, or as a number of days.",
                      table_.file(), options_.target);
    }
    result_.schema.target_form = meaning.form;
    const bool number = meaning.kind == ColumnKind::number;
    const bool wants_number = task == Task::regression || (!task && wanted.kind == ColumnKind::number);
    if (wants_number || (number && !task && !may_be_classes(s, meaning))) return Task::regression;
    std::vector<std::string> remarks;
    classes = classes_of(s.levels, said, remarks);
    const auto count = static_cast<std::int64_t>(classes.size());
    const bool few = count == 2 || (count > 2 && count <= few_numbers && count * rows_per_class <= s.present &&
                                    std::ranges::min(classes, {}, &ClassRows::rows).rows >= fewest_of_class);
    if (number && !task && count >= 2 && !few) {
      classes.clear();
      return Task::regression;
    }
    if (number && !task && count > 2)
      warn(
          fmt::format("the target {} holds {} whole numbers, which are taken for classes. Hint: --task regression, if "
                      "they are quantities.",
                      options_.target, count));
    for (const std::string& remark : remarks) warn(fmt::format("{}: {}", options_.target, remark));
    if (task == Task::binary && count != 2) {
      fail<DataError>("[data] {}: task = \"binary\", and the target '{}' has {} values", table_.file(), options_.target,
                      count);
    }
    if (task) return *task;
    return count == 2 ? Task::binary : Task::multiclass;
  }

  /// Moves the positive class to the second position.
  void choose_positive(std::vector<ClassRows>& classes) {
    const std::string& wanted = options_.positive;
    if (classes.size() != 2) {
      if (wanted.empty()) return;
      fail<UsageError>("[data] positive = \"{}\", and the task is {}. Hint: only of two classes one is positive.",
                       wanted, name(result_.schema.task));
    }
    bool first = classes[0].rows < classes[1].rows;
    if (!wanted.empty()) {
      const auto found = std::ranges::find(classes, wanted, &ClassRows::name);
      if (found == classes.end()) {
        fail<UsageError>("[data] positive = \"{}\", and the classes are {} and {}", wanted, classes[0].name,
                         classes[1].name);
      }
      first = found == classes.begin();
    }
    if (first) std::swap(classes[0], classes[1]);
    positive_ = fmt::format("; positive: {} ({} of {} rows{})", classes[1].name, classes[1].rows,
                            classes[0].rows + classes[1].rows, wanted.empty() ? "" : ", as asked");
  }

  [[nodiscard]] static bool may_be_classes(const Summary& s, const Meaning& meaning) {
    return meaning.form.plain() && s.whole && static_cast<std::int64_t>(s.values.size()) <= few_numbers;
  }

  void decide_features() {
    for (std::size_t column = 0; column < table_.columns(); ++column) {
      const std::string& feature = table_.names()[column];
      if (feature == options_.target || feature == options_.weight) continue;
      if (contains(options_.drop, feature)) continue;
      if (!options_.features.empty() && !contains(options_.features, feature)) continue;
      decide_feature(column);
    }
    if (result_.schema.features.empty()) {
      const std::string why = unread_.empty() ? ". Hint: columns of text are left out; --type NAME=category keeps one."
                                              : ". " + unread_.front();
      fail<DataError>("[data] {}: no column is left to predict {} from{}", table_.file(), options_.target,
                      texts_.empty() ? "" : why);
    }
  }

  void decide_feature(std::size_t column) {
    const std::string& feature = table_.names()[column];
    const WantedKind wanted = wanted_of(feature);
    const Summary s = summarise(table_, column, rows_, wanted.kind == ColumnKind::category);
    // an imputed column also gets a column that marks the missing values, which carries information
    const bool marked = s.missing > 0 && result_.schema.missing == Missing::impute;
    const auto distinct =
        wanted.kind == ColumnKind::category ? static_cast<std::int64_t>(s.levels.size()) : s.distinct();
    if (distinct == 0 || (distinct == 1 && !marked)) {
      (distinct == 0 ? empty_ : constant_).push_back(feature);
      return;
    }
    const Meaning meaning = decide_meaning(table_, column, rows_, s, wanted);
    const bool is_name = meaning.text || meaning.kind == ColumnKind::category;
    const auto unread =
        is_name && !options_.types.contains(feature) ? remark_on_unread(feature, s) : std::optional<std::string>();
    if (unread) {
      unread_.push_back(*unread);
      warn(*unread);
    }
    if (meaning.text) {
      texts_.push_back(feature);
      return;
    }
    result_.schema.features.push_back({feature, meaning.kind, meaning.form, meaning.order});
    if (s.missing > 0) missing_.push_back(fmt::format("{} ({})", feature, s.missing));
    if (!options_.types.contains(feature)) doubts_.add(column, meaning);
    file_under(feature, meaning, s);
    warn_of(column, meaning.kind, s, unread.has_value());
  }

  /// Records the feature under the kind of column that the notes list.
  void file_under(const std::string& feature, const Meaning& meaning, const Summary& s) {
    if (meaning.kind == ColumnKind::category) {
      categories_.push_back(fmt::format("{} ({} levels)", feature, s.levels.size()));
    } else if (meaning.kind == ColumnKind::date) {
      const char* const years = meaning.short_years ? ", years of two digits from 1969 to 2068" : "";
      kinds_[fmt::format("dates ({}{})", name(meaning.order), years)].push_back(feature);
    } else if (meaning.form.plain()) {
      numbers_.push_back(feature);
    } else {
      kinds_[fmt::format("numbers with {}", described(meaning.form))].push_back(feature);
    }
  }

  /// The levels that get a column of their own: those that are not pooled.
  [[nodiscard]] std::int64_t columns_of(const std::vector<Level>& levels) const {
    const std::int64_t often =
        std::ranges::count_if(levels, [&](const Level& level) { return level.count >= options_.rare_levels; });
    return options_.max_levels > 0 ? std::min(often, options_.max_levels) : often;
  }

  void warn_of(std::size_t column, ColumnKind kind, const Summary& s, bool unread) {
    const std::string& feature = table_.names()[column];
    if (kind == ColumnKind::number) {
      for (std::string& remark : remarks_on_numbers(table_, column, rows_, s)) warn(std::move(remark));
      if (counts_rows(table_, column, rows_, s))
        warn(fmt::format("{} is different in every row: an identifier? Hint: drop it, if it is one.", feature));
    }
    if (kind != ColumnKind::category) return;
    for (std::string& remark : remarks_on_levels(feature, s, !options_.types.contains(feature)))
      warn(std::move(remark));
    const std::int64_t levels = columns_of(s.levels);
    const bool embedded = options_.embed_levels > 0 && levels > options_.embed_levels;
    if (levels > many_levels && !embedded && !unread) {  // one remark, and one hint, on why it is no column of numbers
      const auto all = std::ssize(s.levels);
      warn(fmt::format("{} has {} levels, and {} becomes a column. Hint: drop it, embed it (embed_levels = {}){}.",
                       feature, all, levels < all ? fmt::format("each of the {} most frequent", levels) : "each",
                       many_levels, s.all_numbers() ? ", or say that it is a number" : ""));
    }
    if (const auto two = two_spellings(s.levels)) {
      warn(fmt::format("{}: '{}' and '{}' are two levels, but the same number", feature, two->first, two->second));
    }
  }

  void note_rows() {
    const Schema& schema = result_.schema;
    note(fmt::format("{}: {}{}", table_.file(), counted(table_.rows(), "rows"),
                     static_cast<std::int64_t>(result_.rows.size()) == table_.rows()
                         ? ""
                         : fmt::format(", {} of which can be used", result_.rows.size())));
    note(fmt::format("task: {} of {}{}", name(schema.task), schema.target, described_target()));
    note_columns("numbers", numbers_);
    for (const auto& [kind, names] : kinds_) note_columns(kind, names);
    note_columns("categories", categories_);
    note_columns(fmt::format("missing values ({})", name(schema.missing)), missing_);
    note_columns("left out, no value", empty_);
    note_columns("left out, one value alone", constant_);
    note_columns("left out, text or a name for each row", texts_);
    note_columns("left out, as asked", options_.drop);
    if (!schema.weight.empty())
      note(fmt::format("weight of a row: {}{}", schema.weight,
                       weightless_ > 0 ? fmt::format(" (0 in {}, left out)", counted(weightless_, "rows")) : ""));
  }

  /// Adds one line for each kind of column.
  void note_columns(const std::string& kind, const std::vector<std::string>& names) {
    if (names.empty()) return;
    const std::string count = names.size() > listed_at_most ? fmt::format(" ({})", names.size()) : "";
    note(fmt::format("{}{}: {}", kind, count, listed(names)));
  }

  [[nodiscard]] std::string described_target() const {
    const Schema& schema = result_.schema;
    if (!schema.classes.empty()) return fmt::format(" ({}){}", listed(schema.classes), positive_);
    return schema.target_form.plain() ? "" : fmt::format(" ({})", described(schema.target_form));
  }

  const Table& table_;
  TableOptions options_;
  Inference result_;
  std::vector<std::int64_t> rows_;
  Doubts doubts_{table_, rows_};
  std::int64_t weightless_ = 0;
  std::string positive_;  // the text of the positive class in the note
  std::vector<std::string> numbers_, categories_, missing_, empty_, constant_, texts_, unread_;
  std::map<std::string, std::vector<std::string>> kinds_;  // by their names in the note
};

}  // namespace

Inference infer_schema(const Table& table, TableOptions options) { return Inferrer(table, std::move(options)).run(); }

}  // namespace thalweg::data
