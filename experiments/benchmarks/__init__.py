"""Speed and quality of the fits, measured in one run on one machine; see README.md beside this file."""
