#include "kube/json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.h"
#include "kube/limits.h"

namespace holdfast::kube {
namespace {

using Event = Json::parse_event_t;

/// Leaves the parser from inside its callback, which has no other way to end it.
struct Abandon {
  base::Status status;
};

/// Decides, event by event, what the parser keeps.
class Filter {
 public:
  explicit Filter(const ItemVisitor& visit_item) : visit_item_(visit_item) {}

  bool keep(int depth, Event event, Json& parsed) {
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && depth >= kNesting) throw Abandon{absl::InvalidArgumentError("nested too deeply")};
    if (event == Event::key && depth == 1) items_next_ = parsed == "items";
    if (event == Event::key) return parsed != "managedFields";
    if (!visit_item_) return true;
    if (depth == 1 && event == Event::array_start) in_items_ = items_next_;
    if (depth == 1 && event == Event::array_end) in_items_ = false;
    if (!in_items_ || depth != 2) return true;
    return keep_item(event, parsed);
  }

 private:
  bool keep_item(Event event, Json& parsed) {
    if (event == Event::object_start) return true;
    if (event != Event::object_end) {
      throw Abandon{absl::InvalidArgumentError("items: expected objects")};
    }
    base::Status status = visit_item_(parsed);
    if (!status.ok()) throw Abandon{std::move(status)};
    return false;
  }

  const ItemVisitor& visit_item_;
  bool items_next_ = false;
  bool in_items_ = false;
};

}  // namespace

base::StatusOr<Json> parse_json(std::string_view text, const ItemVisitor& visit_item) {
  // The parser takes one for the end of the text, whatever follows.
  if (text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("not JSON: it has a NUL byte");
  }
  std::string repaired;
  if (!base::is_utf8(text)) {
    repaired = base::repair_utf8(text);
    text = repaired;
  }
  try {
    Filter filter(visit_item);
    return Json::parse(text.begin(), text.end(), [&filter](int depth, Event event, Json& parsed) {
      return filter.keep(depth, event, parsed);
    });
  } catch (const Abandon& abandon) {
    return abandon.status;
  } catch (const Json::parse_error& error) {
    return absl::InvalidArgumentError("not JSON, byte " + std::to_string(error.byte) + " of " +
                                      std::to_string(text.size()));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(std::string("not JSON: ") + error.what());
  }
}

Fields::Fields(const Json* value, std::string path, base::Status& complaint)
    : value_(value), path_(std::move(path)), complaint_(&complaint) {
  if (value_ == nullptr || value_->is_object()) return;
  if (!value_->is_null()) expected("", "an object", *value_);
  value_ = nullptr;
}

std::string Fields::path_of(std::string_view key) const {
  std::string path = path_;
  if (!path.empty() && !key.empty() && key[0] != '[') path += '.';
  path += key;
  return path;
}

void Fields::complain(std::string_view key, std::string_view what) const {
  if (!complaint_->ok()) return;
  const std::string path = path_of(key);
  *complaint_ =
      absl::InvalidArgumentError((path.empty() ? "the object" : path) + ": " + std::string(what));
}

void Fields::expected(std::string_view key, const char* type, const Json& found) const {
  const char* what = found.is_number()    ? "a number"
                     : found.is_string()  ? "a string"
                     : found.is_boolean() ? "a boolean"
                     : found.is_array()   ? "a list"
                     : found.is_object()  ? "an object"
                                          : "null";
  complain(key, std::string("expected ") + type + ", found " + what);
}

const Json* Fields::find(const char* key) const {
  if (value_ == nullptr) return nullptr;
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

const Json* Fields::find_array(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr || value->is_array()) return value;
  expected(key, "a list", *value);
  return nullptr;
}

std::optional<std::string> Fields::optional_text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get_ref<const std::string&>();
  expected(key, "a string", *value);
  return std::nullopt;
}

std::string Fields::text(const char* key) const {
  return optional_text(key).value_or(std::string());
}

std::optional<std::int32_t> Fields::number(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer()) {
    expected(key, "an integer", *value);
    return std::nullopt;
  }
  using Range = std::numeric_limits<std::int32_t>;
  const bool above = value->is_number_unsigned() && value->get<std::uint64_t>() > Range::max();
  if (above || value->get<std::int64_t>() < Range::min()) {
    complain(key, "out of range");
    return std::nullopt;
  }
  return value->get<std::int32_t>();
}

std::optional<bool> Fields::flag(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  expected(key, "a boolean", *value);
  return std::nullopt;
}

std::string Fields::text_or_number(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get_ref<const std::string&>();
  if (value->is_number_integer()) {
    const std::optional<std::int32_t> result = number(key);
    return result ? std::to_string(*result) : std::string();
  }
  expected(key, "a string or an integer", *value);
  return {};
}

std::map<std::string, std::string> Fields::text_map(const char* key) const {
  std::map<std::string, std::string> result;
  const Fields fields = object(key);
  if (!fields.present()) return result;
  for (const auto& [name, value] : fields.value_->items()) {
    if (value.is_string()) {
      result.emplace(name, value.get_ref<const std::string&>());
    } else if (value.is_null()) {
      // As the API server reads it: a list that is left empty is not a list that is not there.
      result.emplace(name, "");
    } else {
      fields.expected("[" + name + "]", "a string", value);
    }
  }
  return result;
}

std::vector<std::string> Fields::texts(const char* key) const {
  std::vector<std::string> result;
  const Json* values = find_array(key);
  if (values == nullptr) return result;
  for (const Json& value : *values) {
    if (value.is_string()) {
      result.push_back(value.get_ref<const std::string&>());
    } else {
      expected(key + ("[" + std::to_string(result.size()) + "]"), "a string", value);
      return result;
    }
  }
  return result;
}

Fields Fields::object(const char* key) const { return {find(key), path_of(key), *complaint_}; }

std::vector<Fields> Fields::objects(const char* key) const {
  std::vector<Fields> result;
  const Json* values = find_array(key);
  if (values == nullptr) return result;
  result.reserve(values->size());
  for (const Json& value : *values) {
    result.push_back(
        Fields(&value, path_of(key) + "[" + std::to_string(result.size()) + "]", *complaint_));
  }
  return result;
}

}  // namespace holdfast::kube
