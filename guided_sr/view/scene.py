"""What the viewer shows: T2, result and T1 of one result, each where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guided_sr.inference.recall import recall_provenance, recall_t1, recall_t2
from guided_sr.volumes import Volume, make_image, read_volume, voxel_sizes
from guided_sr.volumes.target import triple_text

__all__ = ["Panel", "Scene"]

_WHITE = 99.8  # percentile of the T2 that is shown white


@dataclass(frozen=True)
class Panel:
    """One image.

    Attributes:
        key: ``"t2"``, ``"result"`` or ``"t1"``.
        title: Its heading.
        grid: Voxels and their size in words.
        black: Intensity that is shown black.
        white: Intensity that is shown white.
        content: The image as an uncompressed NIfTI file.
    """

    key: str
    title: str
    grid: str
    black: float
    white: float
    content: bytes

    @classmethod
    def of(
        cls, key: str, title: str, volume: Volume, *, window: Volume | None = None
    ) -> Panel:
        """Make one.

        Args:
            key: As above.
            title: As above.
            volume: The image.
            window: The image whose intensities decide on black and white.
        """
        seen = (window or volume).data
        black, white = min(0.0, float(seen.min())), float(np.percentile(seen, _WHITE))
        shape = triple_text(np.array(volume.data.shape, float))
        grid = f"{shape} voxels of {triple_text(voxel_sizes(volume.affine))} mm"
        image = make_image(volume.data, volume.affine, source=volume)
        return cls(key, title, grid, black, max(white, black + 1e-6), image.to_bytes())


@dataclass(frozen=True)
class Scene:
    """A result with what it was made from.

    Attributes:
        name: File name of the result.
        panels: T2, result and, where there was one, T1.
    """

    name: str
    panels: tuple[Panel, ...]

    @classmethod
    def of(cls, image: Path) -> Scene:
        """Read a result, and by its sidecar the T2 and the T1.

        The T1 lies where its registration has put it. T2 and result share one grey
        window.

        Args:
            image: The file that ``guided-sr run`` wrote, its ``.json`` beside it.

        Raises:
            MissingInputError: If a file is not there any more.
            DataError: If there is no sidecar, or a file is not the one of then.
        """
        result = read_volume(image, name="result")
        known = recall_provenance(image)
        t2 = recall_t2(known, beside=image)
        t1 = recall_t1(known, beside=image)
        panels = []
        if t2 is not None:
            panels.append(Panel.of("t2", "T2 as acquired", t2))
        panels.append(Panel.of("result", "result", result, window=t2))
        if t1 is not None:
            panels.append(Panel.of("t1", "T1", t1))
        return cls(image.name, tuple(panels))

    def to_dict(self) -> dict[str, Any]:
        """What the page needs besides the images, as plain data."""
        return {
            "name": self.name,
            "panels": [
                {
                    "key": one.key,
                    "title": one.title,
                    "grid": one.grid,
                    "black": one.black,
                    "white": one.white,
                }
                for one in self.panels
            ],
        }
