// What descends from a process, by name.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace belljar::test {

/// A process as the kernel shows it.
struct Process {
  std::string name;
  char state = '?';
  pid_t parent = 0;
};

/// Nothing is left of it but, perhaps, its number.
inline bool has_ended(const Process& process) {
  return process.state == 'Z' || process.state == 'X' || process.state == '?';
}

/// What the kernel knows of a process; an ended one if it knows nothing.
inline Process look_at(pid_t number) {
  std::ifstream file("/proc/" + std::to_string(number) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // PID (NAME) STATE PARENT; a name may hold parentheses.
  const std::size_t begin = text.find('(');
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos || text.size() < end + 5) return {};
  return {text.substr(begin + 1, end - begin - 1), text[end + 2],
          static_cast<pid_t>(std::atol(text.c_str() + end + 4))};
}

/// Bytes of addresses that a process has mapped.
inline std::size_t address_space(pid_t number) {
  std::ifstream file("/proc/" + std::to_string(number) + "/statm");
  std::size_t pages = 0;
  file >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Processes of this name that descend from another and have not ended.
inline std::vector<pid_t> descendants(pid_t ancestor, const std::string& name) {
  std::map<pid_t, Process> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto number = static_cast<pid_t>(std::atol(entry.path().filename().c_str()));
    if (number > 0) all.emplace(number, look_at(number));
  }
  std::vector<pid_t> found;
  for (const auto& [number, process] : all) {
    if (process.name != name || has_ended(process)) continue;
    pid_t above = process.parent;
    while (above != ancestor && all.contains(above)) above = all.at(above).parent;
    if (above == ancestor) found.push_back(number);
  }
  return found;
}

}  // namespace belljar::test
