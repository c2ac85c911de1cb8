from .settings import FamilySettings as FamilySettings
from .test import FamilyTest as FamilyTest
from .validate import validate_matrix as validate_matrix
