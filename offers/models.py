from offers.told_stock import ToldStock

__all__ = ["ToldStock"]
