from .adam import Adam as Adam
from .multistart import SearchSettings as SearchSettings
