"""How densities move with nuisances: log-ratios that are given."""
