"""Samples from files and into files: npz, npy, CSV, HDF5, Parquet and ROOT; and from tables in memory."""

from nplm.io.processes import BeforeCut as BeforeCut
from nplm.io.processes import matching_files as matching_files
from nplm.io.processes import read_reference as read_reference
from nplm.io.read import ReadError as ReadError
from nplm.io.read import column_names as column_names
from nplm.io.read import read_sample as read_sample
from nplm.io.read import row_numbers as row_numbers
from nplm.io.tables import as_sample as as_sample
from nplm.io.write import write_sample as write_sample
