"""The imperfect reference: how its density moves with nuisances, and what auxiliary measurements say about them."""
