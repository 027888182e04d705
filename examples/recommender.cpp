// Training without a model function: a recommender has two inputs, and only an objective on a batch of named columns.
// Each user and each item is a vector; the product of the two vectors is the rating. (Matrix factorisation, Koren et
// al. 2009)

#include <cmath>
#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

constexpr std::int64_t users = 300, items = 200, width = 4, ratings = 20'000;

tw::Loss objective(tw::Scope s, const tw::Batch& b) {
  const auto u = tw::nn::embedding(s / "users", b["user"], {.count = users, .width = width});
  const auto v = tw::nn::embedding(s / "items", b["item"], {.count = items, .width = width});
  return tw::loss::mse(tw::sum(u * v, -1), b["rating"]);
}

/// Ratings that follow from random vectors, with noise of standard deviation 0.1.
tw::Dataset make_ratings(std::uint64_t seed) {
  const auto taste = tw::random_normal({users, width}, 1), kind = tw::random_normal({items, width}, 2);
  const auto noise = tw::random_normal({ratings}, seed);
  const auto which_user = tw::random_uniform({ratings}, 0, users, seed + 1).to(tw::i32);
  const auto which_item = tw::random_uniform({ratings}, 0, items, seed + 2).to(tw::i32);
  tw::Tensor rating({ratings});
  for (std::int64_t i = 0; i < ratings; ++i) {
    const auto user = static_cast<std::int64_t>(which_user.at(i)), item = static_cast<std::int64_t>(which_item.at(i));
    double sum = 0.1 * noise.at(i);
    for (std::int64_t k = 0; k < width; ++k) sum += taste.at(user * width + k) * kind.at(item * width + k);
    rating.set(i, sum);
  }
  tw::Dataset data;
  data.set("user", which_user);
  data.set("item", which_item);
  data.set("rating", rating);
  return data;
}

}  // namespace

int main() {
  tw::Trainer trainer(objective, tw::optim::adam({.lr = 0.03, .schedule = tw::schedule::cosine()}));
  trainer.fit(make_ratings(10), {.epochs = 20, .batch_size = 256});
  const double loss = trainer.evaluate(make_ratings(20))["loss"];
  std::cout << "root mean squared error on other ratings: " << std::sqrt(loss) << " (deviation of the noise: 0.1)\n";
  return std::sqrt(loss) < 0.3 ? 0 : 1;
}
