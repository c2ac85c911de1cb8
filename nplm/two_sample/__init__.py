"""Are two finite, weighted samples from one distribution? Tests that treat both alike."""
