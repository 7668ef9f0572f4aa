#include "kube/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "kube/limits.h"

namespace holdfast::kube {
namespace {

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> values) {
  return std::find(values.begin(), values.end(), text) != values.end();
}

/// Digits of a base with an optional sign, or null when there is anything else or too much.
Json integer(std::string_view digits, int base, bool negative) {
  std::uint64_t value = 0;
  const char* last = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), last, value, base);
  if (digits.empty() || error != std::errc() || end != last) return nullptr;
  if (!negative) return value;
  constexpr std::uint64_t kLeast = std::uint64_t{1} << 63;
  if (value > kLeast) return nullptr;
  return static_cast<std::int64_t>(~value + 1);
}

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  const auto skip_digits = [&text] {
    std::size_t count = 0;
    while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
      text.remove_prefix(1);
      ++count;
    }
    return count;
  };
  const auto skip_one_of = [&text](std::string_view set) {
    if (text.empty() || set.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
  };
  skip_one_of("+-");
  std::size_t digits = skip_digits();
  if (skip_one_of(".")) digits += skip_digits();
  if (digits == 0) return false;
  if (!skip_one_of("eE")) return text.empty();
  skip_one_of("+-");
  return skip_digits() > 0 && text.empty();
}

Json number(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (Json value = integer(rest, 10, negative); !value.is_null()) return value;
  if (text.starts_with("0o")) return integer(text.substr(2), 8, false);
  if (text.starts_with("0x")) return integer(text.substr(2), 16, false);
  if (!is_float(text)) return nullptr;
  double value = 0;
  const std::size_t sign = text.starts_with('+') ? 1 : 0;
  const auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
  // JSON has no infinity; out of range stays what was written.
  return error == std::errc() && end == text.data() + text.size() ? Json(value) : Json(nullptr);
}

Json plain_scalar(const std::string& text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"true", "True", "TRUE"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE"})) return false;
  Json value = number(text);
  return value.is_null() ? Json(text) : value;
}

std::string at_line(const YAML::Mark& mark, const std::string& what) {
  // is_null(): a node that yaml-cpp made without reading it anywhere.
  return mark.is_null() ? what : "line " + std::to_string(mark.line + 1) + ": " + what;
}

class Converter {
 public:
  base::StatusOr<Json> convert(const YAML::Node& node) {
    Json result = value(node, 0);
    if (!complaint_.ok()) return complaint_;
    return result;
  }

 private:
  Json value(const YAML::Node& node, int depth) {
    if (!complaint_.ok()) return nullptr;
    if (depth >= kNesting) return complain(node, "nested too deeply, or an alias of itself");
    if (++values_ > kYamlValues) return complain(node, "too many values, aliases unfolded");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return nullptr;
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence: {
        Json result = Json::array();
        for (const YAML::Node& element : node) result.push_back(value(element, depth + 1));
        return result;
      }
      case YAML::NodeType::Map:
        return mapping(node, depth);
    }
    return nullptr;
  }

  Json scalar(const YAML::Node& node) {
    const std::string& tag = node.Tag();
    text_bytes_ += node.Scalar().size();
    if (text_bytes_ > kYamlTextBytes) return complain(node, "too much text, aliases unfolded");
    const std::string text =
        base::is_utf8(node.Scalar()) ? node.Scalar() : base::repair_utf8(node.Scalar());
    if (tag.empty() || tag == "?") return plain_scalar(text);
    // "!": quoted. A local tag says nothing that Kubernetes knows.
    if (tag.compare(0, kTagPrefix.size(), kTagPrefix) != 0) return text;
    const bool typed = is_one_of(std::string_view(tag).substr(kTagPrefix.size()),
                                 {"int", "float", "bool", "null"});
    return typed ? plain_scalar(text) : Json(text);
  }

  Json mapping(const YAML::Node& node, int depth) {
    Json result = Json::object();
    std::vector<YAML::Node> merged;
    for (const auto& entry : node) {
      if (!complaint_.ok()) return nullptr;
      const YAML::Node& key = entry.first;
      if (!key.IsScalar() && !key.IsNull()) return complain(key, "a key that is not a scalar");
      const std::string name = key.IsNull() ? "null" : base::repair_utf8(key.Scalar());
      if (name == "<<" && key.Tag() == "?") {
        merged.push_back(entry.second);
      } else if (result.contains(name)) {
        return complain(key, "the key " + name + " twice");
      } else {
        result[name] = value(entry.second, depth + 1);
      }
    }
    for (const YAML::Node& source : merged) merge(source, depth + 1, result);
    return result;
  }

  /// YAML 1.1's merge key: what is not there yet, from a mapping or from several, the first wins.
  void merge(const YAML::Node& source, int depth, Json& into) {
    const Json values = value(source, depth);
    const Json sources = values.is_array() ? values : Json::array({values});
    for (const Json& one : sources) {
      if (!one.is_object()) {
        complain(source, "<< wants a mapping");
        return;
      }
      for (const auto& [key, field] : one.items()) {
        if (!into.contains(key)) into[key] = field;
      }
    }
  }

  Json complain(const YAML::Node& node, const std::string& what) {
    if (complaint_.ok()) complaint_ = absl::InvalidArgumentError(at_line(node.Mark(), what));
    return nullptr;
  }

  base::Status complaint_;
  std::size_t values_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace

base::StatusOr<std::vector<Json>> parse_yaml(const std::string& text) {
  try {
    std::vector<Json> documents;
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      base::StatusOr<Json> document = Converter().convert(node);
      if (!document.ok()) return document.status();
      if (!document->is_null()) documents.push_back(*std::move(document));
    }
    return documents;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError("not YAML: " + at_line(error.mark, error.msg));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(std::string("not YAML: ") + error.what());
  }
}

}  // namespace holdfast::kube
