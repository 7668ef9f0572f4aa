#include "base/startup_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::base {

namespace {

/// For dl_iterate_phdr(3).
int unmap_pages_of(dl_phdr_info* object, std::size_t, void*) {
  // The kernel's own, which no file backs.
  if (std::string_view(object->dlpi_name).starts_with("linux-vdso")) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    // What is writable, or was while it was relocated, has contents that are in no file.
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t first = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
    const std::uintptr_t last = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // The loader tells addresses as numbers.
    auto* const where = reinterpret_cast<void*>(first);  // NOLINT(performance-no-int-to-ptr)
    // It is only advice: an error leaves things as they are.
    static_cast<void>(::madvise(where, last - first, MADV_DONTNEED));
  }
  return 0;
}

}  // namespace

void unmap_startup_pages() { ::dl_iterate_phdr(unmap_pages_of, nullptr); }

}  // namespace holdfast::base
