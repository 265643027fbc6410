"""The networks of one detector: run inference slices, return their raw outputs."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from obscura.detection.arrays import Floats
from obscura.detection.backends.base import Session
from obscura.detection.decode import BOX_ROWS
from obscura.detection.inputs import Inputs
from obscura.detection.letterbox import input_size
from obscura.detection.output_cache import EMPTY_CACHE, OutputCache, RawOutput
from obscura.detection.tiling import InferenceSlice
from obscura.detection.weights import ModelCard
from obscura.errors import ModelError
from obscura.geometry import Size
from obscura.observability import inference

__all__ = ["Networks"]


class Networks:
    """The loaded networks of a model card.

    Attributes
    ----------
    card
        The model card.
    full
        The full detector.
    proposal
        The proposal network, which other detectors of the same thread may share. None: the full detector runs
        over all slices.
    auxiliary
        The auxiliary network, or None.
    """

    def __init__(
        self,
        card: ModelCard,
        full: Session,
        proposal: Session | None = None,
        auxiliary: Session | None = None,
    ) -> None:
        self.card = card
        self.full = full
        self.proposal = proposal
        self.auxiliary = auxiliary

    @property
    def engine(self) -> str:
        """Name of the engine that runs the model."""
        return (self.proposal or self.full).name

    @property
    def device(self) -> str:
        """Where the model runs."""
        return (self.proposal or self.full).device

    def warm_up(self) -> None:
        """Run the networks once on a black input, so that the first photo does not pay for their preparation.

        Networks compiled for one input size (see `obscura.detection.backends.openvino`) are made with the
        first input of that size.
        """
        side = self.card.input_size
        for session in (self.full, self.proposal, self.auxiliary):
            if session is not None:
                session.run([np.zeros((side, side, 3), dtype=np.uint8)])

    def close(self) -> None:
        """Free the networks; they cannot be used afterwards, a shared proposal network neither."""
        for session in (self.full, self.proposal, self.auxiliary):
            if session is not None:
                session.close()

    def raw_outputs(
        self, inputs: Inputs, slices: Sequence[InferenceSlice], known: OutputCache = EMPTY_CACHE
    ) -> OutputCache:
        """Return the raw outputs of slices, in their order, running only those that are not known."""
        unknown = [item for item in dict.fromkeys(slices) if item not in known]
        new = dict(self._outputs(inputs, unknown))
        return {item: new[item] if item in new else known[item] for item in slices}

    def raw_output(self, inputs: Inputs, item: InferenceSlice) -> Floats:
        """Run one slice and return its raw output ``[4 + classes, anchors]``."""
        ((_, raw),) = self._outputs(inputs, [item])
        return raw.output

    def _outputs(
        self, inputs: Inputs, slices: Sequence[InferenceSlice]
    ) -> Iterator[tuple[InferenceSlice, RawOutput]]:
        """Run slices in order, consecutive ones of one input shape in batches of the engine's batch size."""
        for (is_proposal, is_auxiliary, *_), group in groupby(
            slices,
            key=lambda item: (item.is_proposal, item.is_auxiliary, item.is_square, input_size(item.scaled)),
        ):
            same = list(group)
            if is_proposal:
                yield from ((item, self._own_rows(raw)) for item, raw in self._proposals(inputs, same))
                continue
            session, name = self.full, self.card.name
            if is_auxiliary and self.auxiliary and self.card.auxiliary:
                session, name = self.auxiliary, self.card.auxiliary.name
            yield from _run_batches(session, name, inputs, same)

    def run_proposal_network(self, inputs: Inputs, item: InferenceSlice) -> RawOutput:
        """Return the proposal network's raw output of the card's class for one slice.

        Raises
        ------
        ModelError
            If there is no proposal network, or the card names a row that its output does not have.
        """
        ((_, raw),) = self._proposals(inputs, [item])
        return self._own_rows(raw)

    def surest_proposal(self, inputs: Inputs, item: InferenceSlice) -> float:
        """Return the best score, 0..1, that the proposal network gives to anything of any class in a slice.

        Raises ModelError if there is no proposal network.
        """
        ((_, raw),) = self._proposals(inputs, [item])
        return float(raw.output[BOX_ROWS:].max(initial=0.0))

    def _proposals(
        self, inputs: Inputs, slices: Sequence[InferenceSlice]
    ) -> Iterator[tuple[InferenceSlice, RawOutput]]:
        """Yield the proposal network's raw outputs of all classes for slices of one input shape.

        The network runs once for all detectors that share it and are given the same ``inputs``.
        """
        session, card = self.proposal, self.card.proposal
        if session is None or card is None:
            message = f"model {self.card.name} has no proposal network"
            raise ModelError(message)
        shared = inputs.shared_outputs
        missing = [item for item in slices if (session, item) not in shared]
        shared.update(
            ((session, item), raw) for item, raw in _run_batches(session, card.name, inputs, missing)
        )
        return ((item, shared[session, item]) for item in slices)

    def _own_rows(self, raw: RawOutput) -> RawOutput:
        """Return a proposal network's raw output without the scores of other classes."""
        output, proposal = raw.output, self.card.proposal
        name, row = (self.card.name, 0) if proposal is None else (proposal.name, proposal.row)
        if BOX_ROWS + row >= len(output):
            message = f"model {name} has {len(output) - BOX_ROWS} classes: its manifest names row {row}"
            raise ModelError(message)
        return raw._replace(output=np.concatenate([output[:BOX_ROWS], output[BOX_ROWS + row, None]]))


def _run_batches(
    session: Session, model: str, inputs: Inputs, slices: Sequence[InferenceSlice]
) -> Iterator[tuple[InferenceSlice, RawOutput]]:
    """Run slices of one input shape in batches of the engine's batch size."""
    for start in range(0, len(slices), session.batch_size):
        chunk = slices[start : start + session.batch_size]
        boxes = [inputs.of(item) for item in chunk]
        with inference(model, session.device):
            outputs = session.run([box.pixels for box in boxes])
        for item, box, output in zip(chunk, boxes, outputs, strict=True):
            seen = Size(box.pixels.shape[1], box.pixels.shape[0])
            yield item, RawOutput(_as_it_is(output, seen, item, inputs.quarter_turns), box.placing)


def _as_it_is(output: Floats, seen: Size, item: InferenceSlice, quarter_turns: int) -> Floats:
    """Return a raw output with boxes in the input before it was turned and mirrored, to the size ``seen``."""
    if not item.mirrored and not quarter_turns:
        return output
    x, y, width, height = output[:BOX_ROWS]
    if item.mirrored:
        x = seen.width - x
    # A quarter turn counter-clockwise shows the right edge on top.
    boxes = {
        0: (x, y, width, height),
        1: (seen.height - y, x, height, width),
        2: (seen.width - x, seen.height - y, width, height),
        3: (y, seen.width - x, height, width),
    }
    return np.concatenate([np.stack(boxes[quarter_turns]), output[BOX_ROWS:]])
