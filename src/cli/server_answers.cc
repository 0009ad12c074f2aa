#include "cli/server_answers.h"

#include <fmt/format.h>

#include "support/text.h"

namespace belljar::cli {

Json server_answers_json(const std::vector<runtime::ControlAnswer>& answers) {
  Json json = Json::array();
  for (const runtime::ControlAnswer& answer : answers) {
    Json one = answer.json;
    one["process"] = answer.process;
    json.push_back(std::move(one));
  }
  return json;
}

void show_server_answers(const std::vector<runtime::ControlAnswer>& answers, Terminal& terminal) {
  for (const runtime::ControlAnswer& answer : answers) {
    const std::string server = fmt::format("The server {}", answer.process);
    if (answer.json.contains("error")) {
      terminal.warn(
          fmt::format("{} did not: {}", server, one_line(answer.json.value("error", ""), 500)));
    } else if (answer.json.contains("skipped")) {
      terminal.print(fmt::format("{} stays as it is: {}", server,
                                 one_line(answer.json.value("skipped", ""), 200)));
    } else if (answer.json.contains("loaded")) {
      terminal.print(server + " has it now");
    } else if (answer.json.value("unloaded", false)) {
      terminal.print(server + " has it no more");
    }
  }
}

}  // namespace belljar::cli
