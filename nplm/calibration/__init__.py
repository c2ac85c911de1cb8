"""From t to a p-value: nulls, toys of the null, and cautions."""
