from .classifier import classifier_hunt as classifier_hunt
from .classifier_result import ClassifierHuntResult as ClassifierHuntResult
from .hunt import bump_hunt as bump_hunt
from .result import HuntResult as HuntResult
