"""What a forest loses of a factor without a latent: the importance of the latent, by permutation.

Breiman 2001, "Random Forests", section 10: a latent's codes are dealt out to other rows, and the rows are read again.
Most pairs of a row and a tree are not read again here: a row whose path through a tree never asks for the latent ends
in the leaf where it was. Only the differences between old and new leaves are added to what the forest answers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from darla.vision.metrics.core.forest import Forest

Array = np.ndarray[Any, Any]


class PermutationImportance:
    """The errors of a forest on the scored rows, as they are and with one latent's codes dealt out to other rows.

    Args:
        forest: a fitted forest.
    """

    def __init__(self, forest: Forest) -> None:
        self._forest = forest
        self._trees = [estimator.tree_ for estimator in forest.model.estimators_]
        counts = [tree.node_count for tree in self._trees]
        # Nodes of all trees are numbered through.
        self._first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._values = self._node_values()
        rows, latents = forest.test_ranks.shape
        self._leaves = np.empty((len(self._trees), rows), np.int64)
        self._asked = np.empty((len(self._trees), latents, (rows + 7) // 8), np.uint8)
        for number, tree in enumerate(self._trees):
            self._leaves[number] = tree.apply(forest.test_ranks)
            asks = sparse.csr_matrix(tree.feature[:, None] == np.arange(latents))  # (nodes, D); leaves ask for none
            on_path = tree.decision_path(forest.test_ranks) @ asks  # (N, D)
            self._asked[number] = np.packbits(on_path.toarray().T > 0, axis=1)
        ended = (self._leaves + self._first[:, None]).ravel()
        self._sums = self._added(np.ones(len(ended)), np.tile(np.arange(rows), len(self._trees)), ended, rows)

    def errors(self) -> Array:
        """Return the squared error of each scored row, (N,)."""
        return self._errors_of(self._sums)

    def errors_without(self, latent: int, orders: Sequence[Array]) -> Array:
        """Return the squared errors, (len(orders), N), where row i has the code of the latent of row `order[i]`.

        Args:
            latent: its column in the forest.
            orders: permutations of the scored rows.
        """
        places = self._forest.test_ranks
        count, rows = len(orders), len(places)
        changed, before, after = [], [], []
        for number, tree in enumerate(self._trees):
            asked = np.flatnonzero(np.unpackbits(self._asked[number, latent], count=rows))
            dealt = np.tile(places[asked], (count, 1))
            dealt[:, latent] = np.concatenate([places[order[asked], latent] for order in orders])
            old, new = np.tile(self._leaves[number, asked], count), tree.apply(dealt)
            moved = np.flatnonzero(old != new)
            changed.append((np.arange(count)[:, None] * rows + asked).ravel()[moved])
            before.append(old[moved] + self._first[number])
            after.append(new[moved] + self._first[number])
        into = np.concatenate(changed)
        signs = np.repeat([1.0, -1.0], len(into))
        nodes = np.concatenate([*after, *before])
        sums = self._added(signs, np.tile(into, 2), nodes, count * rows)
        return np.stack([self._errors_of(self._sums + part) for part in np.split(sums, count)])

    def _added(self, signs: Array, rows: Array, nodes: Array, count: int) -> Array:
        """Return for each of `count` rows the sum of the answers of some nodes, (count, C), each with a sign."""
        chosen = sparse.coo_matrix((signs, (rows, nodes)), (count, len(self._values)))
        sums: Array = chosen @ self._values
        return sums

    def _errors_of(self, sums: Array) -> Array:
        """Return the squared error of each row, (N,), for the sum of all trees' answers, (N, C)."""
        forest = self._forest
        errors: Array = np.square(sums / len(self._trees) - forest.test_targets).sum(axis=1)
        return errors

    def _node_values(self) -> Array:
        """Return what each node of each tree answers, (nodes, C): probabilities of the factor's classes, or a value."""
        forest = self._forest
        answers = np.concatenate([tree.value[:, 0, :] for tree in self._trees])
        if forest.continuous:
            return answers
        values = np.zeros((len(answers), forest.classes))
        values[:, forest.model.classes_] = answers  # no fitted row has the other classes
        return values
