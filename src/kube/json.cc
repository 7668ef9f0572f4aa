#include "kube/json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "kube/limits.h"

namespace holdfast::kube {
namespace {

/// Builds a value from the parser's events. The library's own builder with a filter looks through
/// the elements of an array each time one of them ends, which for half a million is minutes.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const ItemVisitor& visit_item) : visit_item_(visit_item) {}

  [[nodiscard]] Json& root() { return root_; }
  /// Why a handler ended the parse; or that the text is no JSON.
  [[nodiscard]] const base::Status& status() const { return status_; }
  [[nodiscard]] std::size_t error_byte() const { return error_byte_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (is_skipping()) return true;
    if (name == "managedFields") {
      skipped_from_ = depth_;
      return true;
    }
    items_next_ = depth_ == 1 && name == "items";
    key_ = std::move(name);
    return true;
  }

  bool end_object() override {
    const bool is_item = is_item_depth() && !is_skipping();
    if (!close()) return false;
    if (!is_item) return true;
    status_ = visit_item_(item_);
    item_ = nullptr;
    return status_.ok();
  }

  bool parse_error(std::size_t byte, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    error_byte_ = byte;
    status_ = absl::InvalidArgumentError("not JSON");
    return false;
  }

 private:
  [[nodiscard]] bool is_skipping() const { return skipped_from_ >= 0; }
  /// Within an element of the outermost object's `items`, or about to be.
  [[nodiscard]] bool is_item_depth() const { return in_items_ && depth_ == 3; }

  bool fail(const char* reason) {
    status_ = absl::InvalidArgumentError(reason);
    return false;
  }

  /// Where the next value goes. REQUIRES: nothing is skipped.
  Json& place() {
    if (stack_.empty()) return root_;
    Json& parent = *stack_.back();
    if (parent.is_object()) return parent[key_];
    parent.emplace_back();
    return parent.back();
  }

  template <class Value>
  bool put(Value&& value) {
    if (is_skipping()) {
      // A scalar was all that there was to skip.
      if (skipped_from_ == depth_) skipped_from_ = -1;
      return true;
    }
    if (in_items_ && depth_ == 2) return fail("items: expected objects");
    place() = Json(std::forward<Value>(value));
    return true;
  }

  bool open(Json container) {
    if (depth_ >= kNesting) return fail("nested too deeply");
    const bool is_item = in_items_ && depth_ == 2;
    const bool is_items = visit_item_ && depth_ == 1 && items_next_ && container.is_array();
    ++depth_;
    if (is_skipping()) return true;
    if (is_item) {
      if (!container.is_object()) return fail("items: expected objects");
      item_ = std::move(container);
      stack_.push_back(&item_);
      return true;
    }
    Json& place_of_it = place();
    place_of_it = std::move(container);
    stack_.push_back(&place_of_it);
    in_items_ |= is_items;
    return true;
  }

  bool close() {
    --depth_;
    if (is_skipping()) {
      if (skipped_from_ == depth_) skipped_from_ = -1;
      return true;
    }
    stack_.pop_back();
    if (depth_ == 1) in_items_ = false;
    return true;
  }

  const ItemVisitor& visit_item_;
  Json root_;
  /// The element of `items` under way.
  Json item_;
  /// Containers that are open, the innermost last. Elements do not move while one of theirs is.
  std::vector<Json*> stack_;
  std::string key_;
  int depth_ = 0;
  /// The depth at which a member that is left out stands; -1: nothing is left out.
  int skipped_from_ = -1;
  bool items_next_ = false;
  bool in_items_ = false;
  base::Status status_;
  std::size_t error_byte_ = 0;
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
  Builder builder(visit_item);
  try {
    if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root());
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(std::string("not JSON: ") + error.what());
  }
  if (builder.error_byte() == 0) return builder.status();
  return absl::InvalidArgumentError("not JSON, byte " + std::to_string(builder.error_byte()) +
                                    " of " + std::to_string(text.size()));
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
