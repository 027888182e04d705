// A linear classifier of texts by hashed words: its row. It is trained by steps that touch few of its parameters
// (src/sparse), and what a configuration says of it is in src/run/text_classifier.cpp.

#include "core/error.hpp"
#include "data/hashed_text.hpp"
#include "system/row.hpp"

namespace thalweg {

namespace {

struct TextClassifierOptions : data::HashingOptions {};

Fields fields(TextClassifierOptions& o) { return o.data::HashingOptions::fields(); }

System make_text_classifier(const SystemData&, const TextClassifierOptions&) {
  fail<UsageError>("[text_classifier] rows that are no texts. Wanted: format = \"texts\" in [data]");
}

}  // namespace

std::vector<SystemRow> text_classifier_systems() {
  return {system_row<TextClassifierOptions>(
      {.name = "text_classifier",
       .summary = "classes of texts, by a linear model of hashed words",
       .formula = "p = softmax(x W + b), x_j = sum of sign(h) over the words whose hash h has |h| mod features = j, of "
                  "length 1",
       .when =
           "texts with a class each (format = \"texts\"), in passes or as a stream (--online); a step costs what its "
           "texts touch, however many features there are",
       .source = "Weinberger et al. 2009; the weights of words: Sparck Jones 1972"},
      make_text_classifier)};
}

}  // namespace thalweg
