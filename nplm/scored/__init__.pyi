from .onnx import OnnxScore as OnnxScore
from .test import ScoredTest as ScoredTest
