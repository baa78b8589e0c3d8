"""The whole configuration of learning concepts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from darla.common import unknown_name
from darla.common.checked_config import CheckedConfig, require_at_least_one
from darla.vision.concepts.jmvae import JMVAEConfig
from darla.vision.concepts.joint_vae import JointVAEConfig
from darla.vision.concepts.scan import SCANConfig
from darla.vision.concepts.trelbo import TrELBOConfig
from darla.vision.training.config import TrainingConfig

METHODS = ("scan", "scan-r", "jmvae", "trelbo")
"""Names of the systems. SCAN_U of the paper is `scan` on an entangled encoder."""
_SYMBOLS = TrainingConfig(
    steps=12_000, batch_size=64, learning_rate=1e-3, schedule="trapezoid", warmup_fraction=0.02, precision="float32",
    log_every=1000, checkpoint_every=4000,
)  # fmt: skip
_JOINT = TrainingConfig(steps=1500, batch_size=32, learning_rate=5e-4, schedule="trapezoid", warmup_fraction=0.05)
_OPERATORS = TrainingConfig(
    steps=3000, batch_size=100, learning_rate=1e-3, schedule="trapezoid", warmup_fraction=0.02, precision="float32",
    log_every=1000, checkpoint_every=1000,
)  # fmt: skip


@dataclass(frozen=True)
class ConceptsConfig(CheckedConfig):
    """Learn concepts: which system, from how many examples."""

    method: str = "scan"
    """Name in `METHODS`."""
    scan: SCANConfig = field(default_factory=SCANConfig)
    """Networks and objective of `scan` and `scan-r`."""
    jmvae: JMVAEConfig = field(default_factory=JMVAEConfig)
    """Networks and objective of `jmvae`."""
    trelbo: TrELBOConfig = field(default_factory=TrELBOConfig)
    """Networks and objective of `trelbo`."""
    concepts: int = 133
    """Concepts to train on, drawn at random; 133 in the paper."""
    images: int = 10
    """Images of each; 10 in the paper."""
    held_out: int = 100
    """Concepts that training never names, for measures."""
    unseen: tuple[str, ...] = ()
    """Concepts of which no example is shown either, such as `wall=cyan object=duckie`."""
    parts: bool = False
    """Whether an image is also an example of every part of its concept: a red room with a key is a red room. Our
    addition; in the paper it is an example of the concept that it was drawn for alone."""
    training: TrainingConfig | None = None
    """Training of the system; what is usual for the method if None."""
    operators: TrainingConfig = field(default_factory=lambda: _OPERATORS)
    """Training of the recombination operators."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.method not in METHODS:
            raise unknown_name("method", self.method, METHODS)
        require_at_least_one(self, "concepts", "images", "held_out")
        if self.method == "scan-r" and self.scan.direction == "forward":
            object.__setattr__(self, "scan", SCANConfig(**{**asdict(self.scan), "direction": "reverse"}))

    @property
    def is_joint(self) -> bool:
        """Whether the system trains the encoder further."""
        return self.method in ("jmvae", "trelbo")

    @property
    def objective(self) -> SCANConfig | JointVAEConfig:
        """Networks and objective of the method."""
        own: dict[str, SCANConfig | JointVAEConfig] = {"jmvae": self.jmvae, "trelbo": self.trelbo}
        return own.get(self.method, self.scan)

    @property
    def trained(self) -> TrainingConfig:
        """Training of the system."""
        return self.training or (_JOINT if self.is_joint else _SYMBOLS)

    def with_experts(self) -> "ConceptsConfig":
        """Return the same configuration with q(z|y) as a product of Gaussians, one for each value."""
        return replace(self, **{self.method if self.is_joint else "scan": replace(self.objective, encoder="experts")})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ConceptsConfig":
        """Return the configuration that `to_dict` described."""
        kinds = {
            "scan": SCANConfig, "jmvae": JMVAEConfig, "trelbo": TrELBOConfig,
            "training": TrainingConfig, "operators": TrainingConfig,
        }  # fmt: skip
        built = {name: kinds[name](**value) if name in kinds and value is not None else value
                 for name, value in values.items()}  # fmt: skip
        return cls(**built)
