"""What the scenario, interop, cluster and browser tests share."""
