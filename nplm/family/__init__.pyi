from .operator_power import FamilyOperatorPower as FamilyOperatorPower
from .operator_power import family_operator_power as family_operator_power
from .rarity import Rarity as Rarity
from .settings import FamilySettings as FamilySettings
from .subsets import Subset as Subset
from .test import FamilyTest as FamilyTest
from .validate import validate_matrix as validate_matrix
