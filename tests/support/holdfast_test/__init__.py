"""What the scenario, cluster and browser tests share."""
