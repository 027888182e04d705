#include "system/finished_run.hpp"

#include <filesystem>

#include "core/error.hpp"
#include "core/hint.hpp"
#include "options/error.hpp"
#include "store/checksum.hpp"
#include "store/saved_options.hpp"

namespace fs = std::filesystem;

namespace thalweg {

FinishedRun finished_run(std::string_view key, const std::string& run, std::string_view kind) {
  const std::string wanted = fmt::format("Wanted: the folder of a finished run of {}", kind);
  const fs::path file = fs::is_directory(run) ? fs::path(run) / "model.safetensors" : fs::path(run);
  const auto refuse = [&](const std::string& why) { fail_option(key, "{} = \"{}\": {}. {}", key, run, why, wanted); };
  if (!fs::exists(run)) refuse("there is no such folder");
  if (!fs::exists(file)) refuse("there is no model.safetensors in it");
  const SafetensorsFile read = read_safetensors(file);
  expect_finite(read, file.string());
  const auto entry = [&](const std::string& name) {
    const auto found = read.metadata.find(name);
    return found == read.metadata.end() ? std::string() : found->second;
  };
  const std::string prefix = read.metadata.contains("model.kind") ? "model." : "system.";
  if (entry(prefix + "kind") != kind) refuse(fmt::format("it is a run of {}", entry(prefix + "kind")));
  return {file.string(), saved_options(read, prefix + "options", file.string()),
          data::Preprocessing::from_json(entry("preprocessing")), fmt::format("{:08x}", checksum_of(read))};
}

FinishedRun finished_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                                   const std::string& checksum) {
  try {
    FinishedRun found = finished_run(key, run, kind);
    if (found.checksum == checksum) return found;
    fail<DataError>("[run] {} = \"{}\": its parameters have changed: their checksum is {}, and was {}", key, run,
                    found.checksum, checksum);
  } catch (const OptionError& error) {  // the configuration was right when the run began
    fail<DataError>("[run] {}. Hint: the run needs this folder unchanged since it began", before_hint(error.what()));
  }
}

}  // namespace thalweg
