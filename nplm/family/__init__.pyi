from .settings import FamilySettings as FamilySettings
from .test import FamilyTest as FamilyTest
