"""Samples from files and into files: npz, npy, CSV, HDF5, Parquet and ROOT; and from tables in memory."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
