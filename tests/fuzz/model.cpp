// Fuzz target: a model file is loaded, predicts, and generates text if it can.

#include "thalweg/model.hpp"

#include "fuzz.hpp"
#include "run/model_parts.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const MemoryFile file(bytes);
    const Model model = Model::load(file.path());
    const Signature input = model.parts().recipe.input();
    if (input.shape.size() > 1 << 16) return;
    Shape shape{3};
    for (const std::int64_t size : input.shape) shape.push_back(size);
    const Tensor predicted = model.predict_encoded(zeros(shape, input.dtype));
    const auto classes = static_cast<std::int64_t>(model.classes().size());
    if (classes > 0 && predicted.shape()[1] != classes) broken("more probabilities than classes", "");
    if (model.parts().step.run) (void)model.generate("a", {.tokens = 3});
  });
}
