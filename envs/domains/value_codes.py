"""What is asked of a factor as one whole number: a value, any value, or any value but one.

0, 1, 2, ...    this value, counted from 0
-1              any value: nothing is asked
-2, -3, -4, ... any value but 0, 1, 2, ...
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
ANY = -1


def any_but(values: Any) -> Any:
    """Return the codes of "any value but this", from -2 down, of values; and the values of such codes."""
    return -2 - values


def excludes(codes: Codes) -> npt.NDArray[np.bool_]:
    """Return which codes ask for any value but one."""
    excluding: npt.NDArray[np.bool_] = codes < ANY
    return excluding


def allows(codes: Codes, asked: Codes) -> npt.NDArray[np.bool_]:
    """Return where all that `asked` leaves possible is allowed by `codes`; arrays that numpy can broadcast.

    Args:
        codes: what is asked for.
        asked: values that there are, or what else is asked for: -1, any, is allowed by -1 alone.
    """
    others = excludes(codes) & (asked >= 0) & (asked != any_but(codes))
    allowed: npt.NDArray[np.bool_] = (codes == ANY) | (codes == asked) | others
    return allowed
