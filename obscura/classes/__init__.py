"""Detectors of the classes beyond faces and plates, one module each; see `obscura.contract.classes`."""
