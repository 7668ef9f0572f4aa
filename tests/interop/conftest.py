"""The fixtures of the interoperability tests."""

from holdfast_test.edge import edge, own_edge, running_edge

__all__ = ["edge", "own_edge", "running_edge"]
