"""Speed and quality of the fits, measured in one run on one machine; the tables are in results/."""
