from .parameters import Parameters as Parameters
