#pragma once

namespace holdfast::base {

/// Takes the program's and its libraries' code and constants out of this process's memory. Starting
/// touches most of them once (relocations, static initialisers) and they stay mapped, though what
/// an idle process uses is a small part. They are pages of files, never written to: whatever is
/// needed comes back from the page cache by itself. Any thread; does nothing where it cannot.
void unmap_startup_pages();

}  // namespace holdfast::base
