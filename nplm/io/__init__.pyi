from .processes import BeforeCut as BeforeCut
from .processes import read_reference as read_reference
from .read import ReadError as ReadError
from .read import read_sample as read_sample
from .read import row_numbers as row_numbers
from .tables import as_sample as as_sample
from .write import write_sample as write_sample
