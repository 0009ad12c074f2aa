// Counts the words of the files of a folder, with libc++ and libc. Debian's libc++ for WASI has no
// file streams.
#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

static std::string contents(const std::string& path) {
  std::string text;
  if (std::FILE* file = std::fopen(path.c_str(), "r")) {
    char piece[1000];
    for (std::size_t read; (read = std::fread(piece, 1, sizeof piece, file)) > 0;) {
      text.append(piece, read);
    }
    std::fclose(file);
  }
  return text;
}

int main() {
  std::vector<std::string> names;
  if (DIR* entries = opendir("/")) {
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (name.size() > 4 && name.substr(name.size() - 4) == ".txt") names.push_back(name);
    }
    closedir(entries);
  }
  std::sort(names.begin(), names.end());
  std::map<std::string, int> counts;
  for (const std::string& name : names) {
    std::istringstream text(contents("/" + name));
    for (std::string word; text >> word;) ++counts[word];
  }
  std::vector<std::string> kept;
  for (int i = 0; i < 24; ++i) kept.emplace_back(std::size_t{1} << 20, static_cast<char>('a' + i));
  if (std::FILE* out = std::fopen("/counts.txt", "w")) {
    for (const auto& [word, times] : counts) std::fprintf(out, "%s %d\n", word.c_str(), times);
    std::fclose(out);
  }
  std::istringstream again(contents("/counts.txt"));
  int lines = 0;
  for (std::string line; std::getline(again, line);) ++lines;
  std::cout << names.size() << ' ' << lines << ' ' << kept.back().back() << '\n';
}
