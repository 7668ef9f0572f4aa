"""The fixtures of the interoperability tests."""

from holdfast_test.edge import edge, running_edge

__all__ = ["edge", "running_edge"]
