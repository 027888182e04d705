// The row of the linear classifier of texts by hashed words. It is trained by steps that change few of its parameters
// (src/sparse); its configuration is in src/run/text_classifier.cpp.

#include "core/error.hpp"
#include "data/hashed_text.hpp"
#include "system/row.hpp"

namespace thalweg {

namespace {

struct TextClassifierOptions : data::HashingOptions {};

Fields fields(TextClassifierOptions& o) { return o.data::HashingOptions::fields(); }

System make_text_classifier(const SystemData&, const TextClassifierOptions&) {
  fail<UsageError>("[text_classifier] the rows are not texts. Wanted: format = \"texts\" in [data]");
}

}  // namespace

std::vector<SystemRow> text_classifier_systems() {
  return {system_row<TextClassifierOptions>(
      {.name = "text_classifier",
       .summary = "classes of texts, by a linear model of hashed words",
       .formula = "p = softmax(x W + b), x_j = sum of sign(h) over the words whose hash h has |h| mod features = j, of "
                  "length 1",
       .when = "texts with a class each (format = \"texts\"), in epochs or as a stream (--online); the cost of a step "
               "depends on its texts, not on the number of features",
       .source = "Weinberger et al. 2009; the weights of words: Sparck Jones 1972"},
      make_text_classifier)};
}

}  // namespace thalweg
