"""A real, tiny ONNX classifier, made without the onnx package."""


def _field(number: int, value: int | bytes | str) -> bytes:
    """Return one field of a protocol buffer; numbers here are all below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    data = value.encode() if isinstance(value, str) else value
    length = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
    return bytes([number << 3 | 2]) + length + data


def _node(operator: str, source: str, target: str) -> bytes:
    return _field(1, _field(1, source) + _field(2, target) + _field(4, operator))


def _tensor(name: str, sides: list[int]) -> bytes:
    shape = b"".join(_field(1, _field(1, side)) for side in sides)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def colour_classifier() -> bytes:
    """Return a model whose three outputs are the means of red, green and blue of a picture."""
    graph = _node("GlobalAveragePool", "x", "m") + _node("Flatten", "m", "y") + _field(2, "g")
    graph += _field(11, _tensor("x", [1, 3, 32, 32])) + _field(12, _tensor("y", [1, 3]))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))
