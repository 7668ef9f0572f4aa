"""Each rule finds what it is for, and nothing in a tree that keeps it."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402

CLEAN = {
    "src/base/README.md": "# base\n",
    "src/base/clock.h": "#pragma once\n",
    "src/base/clock.cc": '#include "base/clock.h"\n#include <chrono>\n'
                         "auto t = std::chrono::steady_clock::now();\n",
    "src/kube/README.md": "# kube\n",
    "src/kube/list.cc": '#include <boost/beast/core.hpp>\n#include <sys/socket.h>\n'
                        '#include "base/clock.h"\n// TheHelper sleeps: steady_clock::now\n'
                        'const char* s = "gettimeofday";\n',
    "cmd/holdfast/README.md": "# cmd\n",
    "cmd/holdfast/run.h": "#pragma once\n",
    "cmd/holdfast/main.cc": '#include <CLI/App.hpp>\n#include "run.h"\n#include "base/clock.h"\n',
    "tests/support/fake.h": "#pragma once\n",
    "tests/unit/kube/list_test.cc": '#include "tests/support/fake.h"\n#include "base/clock.h"\n',
}


class RulesTest(unittest.TestCase):
    def found(self, **changes: str | None) -> list[str]:
        """Findings in the clean tree with these files put in; None takes one away."""
        files = dict(CLEAN)
        files.update(changes)
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                if text is None:
                    continue
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return [str(finding) for finding in rules.findings(root)]

    def expect(self, path: str, text: str, line: int, word: str) -> None:
        found = self.found(**{path: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{path}:{line}: "), found[0])
        self.assertIn(word, found[0])

    def test_a_clean_tree(self) -> None:
        self.assertEqual(self.found(), [])

    def test_usings(self) -> None:
        self.expect("src/base/a.cc", "using std::vector;\n// vector\nusing std::map;\nmap a;\n", 1,
                    "vector")

    def test_rooms(self) -> None:
        files = {"src/kube/objects.h": "#pragma once\n", "src/kube/source.h": "#pragma once\n",
                 "src/controller/README.md": "#\n",
                 "src/controller/a.cc": '#include "kube/objects.h"\n#include "kube/source.h"\n'}
        found = self.found(**files)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith("src/controller/a.cc:2: "))

    def test_a_room_without_a_rule(self) -> None:
        found = self.found(**{"src/new/a.h": "#pragma once\n", "src/new/README.md": "#\n"})
        self.assertEqual(len(found), 1, found)
        self.assertIn("ROOMS", found[0])

    def test_homes(self) -> None:
        for text in ("<grpcpp/channel.h>", "<prometheus/registry.h>", "<CLI/App.hpp>",
                     '"holdfast/discovery/v1/discovery.grpc.pb.h"', "<openssl/ssl.h>"):
            self.expect("src/base/clock.cc", f"#include {text}\n", 1, "home")
        self.expect("cmd/holdfast/main.cc", "#include <nlohmann/json.hpp>\n", 1, "home")
        self.expect("src/kube/list.cc", "#include <curl/curl.h>\n", 1, "no home")

    def test_include_roots(self) -> None:
        self.expect("src/base/clock.cc", '#include "clock.h"\n', 1, "rooted")
        self.expect("src/kube/list.cc", '#include "../base/clock.h"\n', 1, "rooted")
        self.expect("cmd/holdfast/main.cc", '#include "ran.h"\n', 1, "rooted")

    def test_headers(self) -> None:
        self.expect("src/base/clock.h", "int x;\n", 1, "pragma")

    def test_clocks(self) -> None:
        for text in ("auto t = std::chrono::system_clock::now();", "auto t = std::time(nullptr);",
                     "auto t = time(nullptr);", "clock_gettime(CLOCK_MONOTONIC, &t);"):
            self.expect("src/kube/list.cc", f"int a;\n{text}\n", 2, "clock")
        self.assertEqual(self.found(**{"src/kube/list.cc": "auto t = span.time(0);\n"}), [])

    def test_sleeps(self) -> None:
        self.expect("tests/unit/kube/list_test.cc", "std::this_thread::sleep_for(d);\n", 1, "sleep")
        self.expect("tests/unit/kube/list_test.cc", "usleep(3);\n", 1, "sleep")
        self.expect("tests/scenario/a.py", "\nawait asyncio.sleep(1)\n", 2, "sleep")
        self.assertEqual(self.found(**{"tests/support/wait.py": "time.sleep(0.01)\n"}), [])

    def test_sizes(self) -> None:
        self.expect("src/kube/list.cc", "x\n" * 601, 601, "lines")
        self.expect("src/kube/list.cc", "é" * 101 + "\n", 1, "columns")
        self.assertEqual(self.found(**{"src/kube/list.cc": "é" * 100 + "\n"}), [])

    def test_readmes(self) -> None:
        found = self.found(**{"src/kube/README.md": None})
        self.assertEqual(found, ["src/kube:0: the room has no README.md."])

    def test_names(self) -> None:
        for text in ("class WatchManager {};", "struct Helper;", "void x(StringUtils u);",
                     "class ListImpl;", "int string_util;"):
            self.expect("src/kube/list.cc", text + "\n", 1, "says nothing")
        self.expect("src/kube/string_utils.cc", "int x;\n", 0, "says nothing")
        self.assertEqual(self.found(**{"src/kube/list.cc": "int utility; Implicit i;\n"}), [])

    def test_unfinished(self) -> None:
        self.expect("src/kube/list.cc", "// TO" + "DO: more\n", 1, "issue")


if __name__ == "__main__":
    unittest.main()
