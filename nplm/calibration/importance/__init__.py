"""P-values of rare fluctuations by importance sampling."""
