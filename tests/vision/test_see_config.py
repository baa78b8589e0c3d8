import ast
import dataclasses
import inspect
import json
from itertools import pairwise

import pytest

from darla import vision
from darla.common import InputError
from darla.vision import SeeConfig


def test_the_configuration_survives_json():
    config = SeeConfig().change(beta=4.0, loss="perceptual", layer="conv3", bottleneck=64, training__steps=10)
    assert SeeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_absent_fields_keep_their_defaults():
    assert SeeConfig.from_dict({"vae": {"beta": 2.0}}) == SeeConfig().change(beta=2.0)


def test_change_finds_fields_at_any_depth():
    config = SeeConfig().change(target_nats=50.0, n_masks=2, dae_training__steps=7, vae__width=2)
    assert config.vae.perceptual.target_nats == 50.0
    assert config.dae.n_masks == 2
    assert config.dae_training.steps == 7
    assert config.training == SeeConfig().training
    assert (config.vae.width, config.dae.width) == (2, 1)


def test_change_applies_what_belongs_together_at_once():
    config = SeeConfig().change(loss="mixed", pixel_weight=0.1)  # neither would be valid alone
    assert config.vae.pixel_weight == 0.1


def test_a_section_can_be_changed_together_with_fields_inside_it():
    other = dataclasses.replace(SeeConfig().vae, latent_dim=5)
    config = SeeConfig().change(vae=other, target_nats=3.0)
    assert config.vae.latent_dim == 5
    assert config.vae.perceptual.target_nats == 3.0


def test_a_field_in_several_places_must_be_named_with_its_section():
    with pytest.raises(InputError, match="training__steps, dae_training__steps"):
        SeeConfig().change(steps=5)


def test_unknown_fields_are_refused_with_the_closest_known_one():
    with pytest.raises(InputError, match="did you mean 'latent_dim'"):
        SeeConfig().change(latent_dims=5)
    with pytest.raises(InputError, match="did you mean 'beta'"):
        SeeConfig.from_dict({"vae": {"betta": 2.0}})


def test_every_field_of_the_configuration_is_described():
    from darla.vision.encoders import config as see_config
    from darla.vision.models import config, dae, feature_space
    from darla.vision.training import config as training_config

    models = [inspect.getmodule(model) for model in vision.MODELS.values()]
    for module in (config, *models, dae, feature_space, see_config, training_config):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
                for field, after in pairwise(node.body):
                    if isinstance(field, ast.AnnAssign):
                        assert isinstance(after, ast.Expr), f"{node.name}.{ast.unparse(field.target)}"
