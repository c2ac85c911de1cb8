"""What runs toys: this process, several, or Dask."""
