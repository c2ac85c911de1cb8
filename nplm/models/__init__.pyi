from .falkon.model import FalkonModel as FalkonModel
from .histogram.model import HistogramModel as HistogramModel
from .kernel.model import KernelModel as KernelModel
from .network.model import NetworkModel as NetworkModel
from .network.search_settings import BoxSearch as BoxSearch
from .registry import register_model as register_model
