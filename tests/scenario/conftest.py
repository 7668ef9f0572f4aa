"""The fixtures of the scenario tests."""

from holdfast_test.edge import dead_port, edge, own_edge, running_edge

__all__ = ["dead_port", "edge", "own_edge", "running_edge"]
