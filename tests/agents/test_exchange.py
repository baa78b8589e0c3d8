"""Agents for other software and from other software: `predict`, zips of Stable-Baselines3, ONNX, and own objects."""

import io
import json
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecFrameStack
from toy_images import ENV_ID, SIZE
from toy_training import frames

import darla
from darla import ImportConfig
from darla.agents import ALGORITHMS, ActConfig, Agent, FrozenEncoder, LatentVecEnv, make_vec
from darla.cli.main import main
from darla.common import InputError
from darla.envs import EnvDomain
from darla.envs.domains.tasks import environment_task
from darla.envs.frames.from_images import frames_from_images
from darla.evaluation.episode_records import read_episodes
from darla.evaluation.score_types import TransferScores
from darla.vision import frozen
from darla.zero_shot import TransferConfig

onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="onnx, onnxscript or onnxruntime is not installed (extra onnx)",
)
contrib = pytest.mark.skipif(find_spec("sb3_contrib") is None, reason="sb3-contrib is not installed (extra contrib)")
SHORT = {
    "ppo": {"n_envs": 4, "n_steps": 16, "batch_size": 32},
    "dqn": {"n_envs": 4, "learning_starts": 50, "batch_size": 16, "buffer_size": 400},
    "sac": {"n_envs": 4, "learning_starts": 50, "batch_size": 16, "buffer_size": 400, "gradient_steps": 1},
    "qrdqn": {"n_envs": 4, "learning_starts": 50, "batch_size": 16, "buffer_size": 400},
    "recurrent_ppo": {"n_envs": 4, "n_steps": 16, "batch_size": 32},
}
EXPORTED = [
    ("ppo", True, stable_baselines3.PPO),
    ("ppo", False, stable_baselines3.PPO),
    ("dqn", True, stable_baselines3.DQN),
    ("sac", True, stable_baselines3.SAC),
]
EVALUATION = TransferConfig(episodes=4, n_envs=2, snapshot_eval_episodes=2, strip_frames=2, resamples=50)
AGENTS = '''
import numpy as np


class Bright:
    """Names the brightest column; asks for a state to see that it comes back."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        steps = np.zeros(len(observation)) if state is None else np.where(episode_start, 0, state + 1)
        thirds = np.array_split(observation.astype(float), 3, axis=2)
        return np.argmax([third.mean((1, 2, 3)) for third in thirds], axis=0), steps


class Dice:
    def predict(self, observation):
        return np.random.randint(3, size=len(observation))


class Odd:
    def __init__(self, actions=None):
        self.actions = actions

    def predict(self, observation, deterministic=False):
        return self.actions(observation)


class Mute:
    pass


def bright():
    return Bright()


def mute():
    return Mute()


dice = Dice()
number = 5
'''


def task(kind="discrete"):
    def domain(name, **options):
        return EnvDomain(name, ENV_ID, ({"size": SIZE, "continuous": kind == "continuous", **options},))

    return environment_task("columns", domain("unlabeled"), domain("source"), {"brief": domain("brief", length=5)})


@pytest.fixture(autouse=True)
def own_module(tmp_path, monkeypatch) -> Path:
    """A module of agents, and a task, in the folder in which commands are given."""
    (tmp_path / "my_agents.py").write_text(AGENTS)
    domains = {"env_id": ENV_ID, "variants": [{"size": SIZE}]}
    brief = {"env_id": ENV_ID, "variants": [{"size": SIZE, "length": 5}]}
    described = {"name": "columns", "unlabeled": domains, "source": domains, "targets": {"brief": brief}}
    (tmp_path / "columns.json").write_text(json.dumps(described))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_agents", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def agent_of(encoder_folder, tmp_path_factory):
    """Agents that have hardly learned, each trained once."""
    made: dict[tuple[object, ...], Path] = {}

    def agent(algorithm="ppo", on_codes=True, **more):
        key = (algorithm, on_codes, *sorted(more.items()))
        if key not in made:
            settings = replace(ALGORITHMS[algorithm].preset("latents" if on_codes else "pixels"), **SHORT[algorithm])
            options = {"precision": "float32"} if on_codes else {}
            config = ActConfig(algorithm, 128, settings, snapshots=1, **options, **more)
            kind = "continuous" if algorithm == "sac" else "discrete"
            folder = tmp_path_factory.mktemp("agents") / "agent"
            made[key] = darla.act(task(kind), folder, config, encoder=encoder_folder if on_codes else None).folder
        return made[key]

    return agent


def test_an_agent_predicts_as_the_models_of_sb3_do(agent_of):
    agent = Agent.load(agent_of(frame_stack=2))
    mean, _ = evaluate_policy(agent, make_vec(task().source, 3, seed=1), n_eval_episodes=6)
    assert 0 <= mean <= 12
    shown, later = frames(4), frames(8)[4:]
    agent.reset(4)
    expected = [agent.act(images, True, np.random.default_rng(0)) for images in (shown, later)]
    actions, state = agent.predict(shown, deterministic=True)
    np.testing.assert_array_equal(actions, expected[0])
    np.testing.assert_array_equal(agent.predict(later, state, np.zeros(4, bool), deterministic=True)[0], expected[1])
    # Where an episode begins, what came before is forgotten.
    starts = np.array([True, False, True, False])
    again, _ = agent.predict(later, state, starts, deterministic=True)
    fresh, _ = agent.predict(later, deterministic=True)
    np.testing.assert_array_equal(again, np.where(starts, fresh, expected[1]))
    single, _ = agent.predict(shown[0], deterministic=True)
    assert (single.shape, int(single)) == ((), int(expected[0][0]))
    agent.set_random_seed(5)
    drawn = [int(agent.predict(shown[0])[0]) for _ in range(20)]
    agent.set_random_seed(5)
    assert [int(agent.predict(shown[0])[0]) for _ in range(20)] == drawn


def actions_of(folder, images):
    agent = Agent.load(folder)
    agent.reset(len(images))
    return agent.act(images, True, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("algorithm", "on_codes", "sb3_class"), [*EXPORTED, pytest.param("qrdqn", True, None, marks=contrib)]
)
def test_an_exported_zip_is_read_by_sb3_and_acts_on_images_as_the_agent(
    algorithm, on_codes, sb3_class, agent_of, capsys
):
    folder = agent_of(algorithm, on_codes)
    assert main(["export", str(folder), "--out", "agent.zip"]) == 0, capsys.readouterr().err
    model = (sb3_class or ALGORITHMS[algorithm].sb3_class()).load("agent.zip")
    shown = frames(30)
    np.testing.assert_allclose(model.predict(shown, deterministic=True)[0], actions_of(folder, shown), atol=1e-5)
    assert model.num_timesteps == Agent.load(folder).description.env_steps
    assert model.gamma == 0.97


@onnx
@pytest.mark.parametrize(("algorithm", "on_codes", "sb3_class"), EXPORTED)
def test_an_exported_graph_acts_in_onnxruntime_as_the_agent(algorithm, on_codes, sb3_class, agent_of, capsys):
    import onnxruntime

    folder = agent_of(algorithm, on_codes)
    if algorithm == "ppo":
        assert main(["export", str(folder), "--out", "agent.onnx"]) == 0, capsys.readouterr().err
        assert capsys.readouterr().out == "agent.onnx\n"
    else:
        darla.export(folder, "agent.onnx")
    session = onnxruntime.InferenceSession("agent.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == {
        "ppo": ["action", "logits"],
        "dqn": ["action", "values"],
        "sac": ["action"],
    }[algorithm]
    for count in (1, 30):
        shown = frames(count)
        actions = session.run(["action"], {"observation": shown})[0]
        np.testing.assert_allclose(actions, actions_of(folder, shown), atol=1e-4)


@onnx
def test_a_graph_that_differs_is_not_written(agent_of, monkeypatch):
    monkeypatch.setattr("darla.agents.exchange.onnx_graph.TOLERANCE", -1.0)
    with pytest.raises(InputError, match=r"the ONNX graph differs from the agent by .*; it was not written"):
        darla.export(agent_of(), "agent.onnx")
    assert not Path("agent.onnx").exists()


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(agent_of):
    for out, more, sentence in (
        ("agent.pt", {}, "agent.pt, but an agent is exported as .zip or .onnx"),
        ("agent.zip", {"frame_stack": 2}, "an agent that stacks 2 codes cannot become one network"),
    ):
        with pytest.raises(InputError, match=sentence):
            darla.export(agent_of(**more), out)
        assert not Path(out).exists()


@pytest.mark.skipif(find_spec("onnxruntime") is not None, reason="onnxruntime is installed")
def test_what_is_missing_for_onnx_is_named(agent_of):
    with pytest.raises(
        InputError, match=r"ONNX needs the package onnx\w*; install it with: pip install 'darla\[onnx\]'"
    ):
        darla.export(agent_of(), "agent.onnx")


def test_an_export_is_imported_where_it_has_no_encoder_and_else_sent_to_its_agent(agent_of, capsys):
    pixels = agent_of("ppo", False)
    darla.export(pixels, "pixels.zip")
    assert main(["import", "pixels.zip", "columns.json", "--out", "again"]) == 0, capsys.readouterr().err
    shown = frames(30)
    np.testing.assert_array_equal(actions_of("again", shown), actions_of(pixels, shown))
    darla.export(agent_of(), "codes.zip")
    assert main(["import", "codes.zip", "columns.json", "--out", "refused"]) == 2
    assert "codes.zip was written by darla export, with the encoder inside" in capsys.readouterr().err
    with pytest.raises(InputError, match="use the folder of the agent that it was made of"):
        darla.import_agent("codes.zip", task(), "refused")


def trained_elsewhere(encoder_folder=None, **policy):
    """A model that was trained with SB3 alone, on images or on codes."""
    env = make_vec(task().source, 2, seed=0)
    env = env if encoder_folder is None else LatentVecEnv(env, FrozenEncoder.load(encoder_folder, "float32"))
    name = "CnnPolicy" if encoder_folder is None else "MlpPolicy"
    model = stable_baselines3.PPO(name, env, n_steps=16, batch_size=32, seed=0, device="cpu", policy_kwargs=policy)
    return model.learn(32)


def test_a_zip_of_sb3_becomes_an_agent_by_its_weights_alone(own_module, capsys, monkeypatch):
    model = trained_elsewhere()
    model.save("model.zip")
    assert main(["import", "model.zip", "columns.json", "--out", "agent"]) == 0, capsys.readouterr().err
    shown = frames(30)
    np.testing.assert_array_equal(actions_of("agent", shown), model.predict(shown, deterministic=True)[0])
    assert Agent.load("agent").description.env_steps == 32
    words = ["transfer", "columns.json", "theirs=agent", "mine=my_agents:bright", "--out", "transfer"]
    options = "--episodes 4 --n-envs 2 --snapshot-eval-episodes 2 --strip-frames 2 --resamples 50"
    assert main([*words, *options.split()]) == 0, capsys.readouterr().err
    rows = read_episodes(own_module / "transfer/episodes.csv")
    returns = {m: np.mean([row.episode.return_ for row in rows if row.method == m]) for m in ("theirs", "mine")}
    assert returns["mine"] > 3 + returns["theirs"]


def test_a_zip_on_codes_and_a_stack_of_images_become_agents_too(encoder_folder):
    model = trained_elsewhere(encoder_folder, net_arch=[16, 8])
    model.save("codes.zip")
    agent = Agent.load(darla.import_agent("codes.zip", task(), "agent", encoder=encoder_folder))
    shown = frames(30)
    codes = FrozenEncoder.load(encoder_folder, "float32").encode(shown)
    np.testing.assert_array_equal(actions_of("agent", shown), model.predict(codes, deterministic=True)[0])
    assert agent.description.architecture == {"net_arch": [16, 8]}
    env = VecFrameStack(make_vec(task().source, 2, seed=0), 3)
    stacked = stable_baselines3.PPO("CnnPolicy", env, n_steps=16, batch_size=32, seed=0, device="cpu")
    stacked.save("stacked.zip")
    agent = Agent.load(darla.import_agent("stacked.zip", task(), "stack", ImportConfig(frame_stack=3)))
    seen, plain = env.reset(), make_vec(task().source, 2, seed=0).reset()
    np.testing.assert_array_equal(
        agent.predict(plain, deterministic=True)[0], stacked.predict(seen, deterministic=True)[0]
    )


def test_a_zip_that_does_not_fit_or_is_none_is_refused(encoder_folder, own_module):
    trained_elsewhere().save("model.zip")
    trained_elsewhere(encoder_folder, activation_fn=torch.nn.ReLU).save("relu.zip")
    trained_elsewhere(encoder_folder, net_arch={"pi": [8], "vf": [4]}).save("two_heads.zip")
    with zipfile.ZipFile("model.zip") as whole, zipfile.ZipFile("objects.zip", "w") as other:
        content = io.BytesIO()
        torch.save(torch.nn.Linear(2, 2), content)  # an object and not its tensors
        other.writestr("policy.pth", content.getvalue())
        other.writestr("data", whole.read("data"))
    (own_module / "text.zip").write_text("no zip")
    with zipfile.ZipFile("empty.zip", "w"):
        pass
    for file, config, encoder, sentence in (
        ("relu.zip", None, encoder_folder, r"relu.zip was built with activation_fn=.*ReLU.*weights do not show"),
        ("model.zip", ImportConfig("dqn"), None, "model.zip does not fit: it has another tensor"),
        ("model.zip", ImportConfig(net_arch=(8,)), None, "model.zip does not fit"),
        ("model.zip", None, encoder_folder, "model.zip does not fit"),
        ("model.zip", ImportConfig("sac"), None, "'sac' cannot choose from 3 discrete actions"),
        ("objects.zip", None, None, "policy.pth in objects.zip does not hold plain tensors"),
        ("text.zip", None, None, "text.zip cannot be read as a zip of Stable-Baselines3"),
        ("empty.zip", None, None, "empty.zip has no member 'policy.pth'"),
        (
            "two_heads.zip",
            None,
            encoder_folder,
            r"one list .* for all parts; give `darla transfer` the",
        ),
        ("none.zip", None, None, "there is no file none.zip"),
    ):
        with pytest.raises(InputError, match=sentence):
            darla.import_agent(file, task(), "refused", config, encoder=encoder)
        assert not Path("refused").exists()
    with pytest.raises(InputError, match=r"holds pickled code; take its weights alone with: darla import model.zip"):
        darla.transfer(task(), ["model.zip"], "transfer", EVALUATION)


def test_objects_that_predict_stand_beside_ours_and_ours_stay_the_baseline(agent_of, own_module):
    model = trained_elsewhere()
    agents = [("PPO of SB3", model), ("end to end", agent_of("ppo", False)), ("dice", "my_agents:dice")]
    scores = darla.transfer(task(), agents, "transfer", EVALUATION)
    content = TransferScores.load(scores.folder)
    assert content.anchors.baseline == "end to end"
    own = {agent.method: agent.is_own for agent in content.agents}
    assert own == {"random": False, "PPO of SB3": True, "end to end": False, "dice": True}
    # The same again is the same result, although `Dice` draws from NumPy's global generator.
    state = np.random.get_state()[1].copy()
    again = darla.transfer(task(), [("dice", "my_agents:dice")], "again", EVALUATION, workers=2)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    one = [row.episode for row in read_episodes(scores.folder / "episodes.csv") if row.method == "dice"]
    assert [row.episode for row in read_episodes(again.folder / "episodes.csv") if row.method == "dice"] == one
    page = (darla.report([scores], "report").folder / "report.md").read_text()
    assert "PPO of SB3, dice: not trained by darla" in page
    assert "Those that darla trained were trained in the source alone." in page
    assert "not trained by darla leak" in page  # the heading of a column
    assert "dotted line: the baseline" in page
    assert "†" not in page  # one seed has no intervals, so none is preliminary
    film = darla.film(task(), agents, "film.gif")
    assert film.stat().st_size > 1000


def test_an_agent_that_was_changed_is_another_one(own_module, monkeypatch):
    darla.transfer(task(), ["my_agents:bright"], "transfer", EVALUATION)
    (own_module / "my_agents.py").write_text(AGENTS.replace("argmax", "argmin"))
    monkeypatch.delitem(sys.modules, "my_agents")
    with pytest.raises(InputError, match="transfer was made with another configuration"):
        darla.transfer(task(), ["my_agents:bright"], "transfer", EVALUATION)


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [
        ("my_agents:number", "it is int, without a method predict"),
        ("my_agents:mute", "Mute has no method predict"),
        ("my_agents:Mute", "the class has no method predict"),
        ("my_agents:brigt", "did you mean 'Bright'?|did you mean 'bright'?"),
        (5, "int cannot be evaluated: it has no method predict"),
    ],
)
def test_what_does_not_predict_is_refused(agent, sentence):
    with pytest.raises(InputError, match=sentence):
        darla.transfer(task(), [("mine", agent)], "transfer", EVALUATION)


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        (lambda images: np.full(len(images), 3), "returned action 3, but actions are 0 to 2"),
        (lambda images: np.zeros(len(images)), "returned float64"),
        (lambda images: np.zeros(1, int), r"of shape \(1,\) for 2 images"),
        (lambda images: images.nothing, "failed to predict: AttributeError.*test_exchange.py, line"),
    ],
)
def test_an_agent_that_acts_wrongly_is_named(actions, sentence):
    import my_agents

    with pytest.raises(InputError, match=sentence):
        darla.transfer(task(), [("mine", my_agents.Odd(actions))], "transfer", EVALUATION)
    with pytest.raises(InputError, match="cannot be sent to worker processes; use workers=1"):
        darla.transfer(task(), [("mine", my_agents.Bright())], "other", EVALUATION, workers=2)


@onnx
def test_a_network_of_ones_own_is_a_part_of_the_graph(own_module):
    import onnxruntime

    seen = frames(60)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 12, stride=12), torch.nn.ReLU(), torch.nn.Flatten())
    torch.manual_seed(0)
    encoder = darla.see(frames_from_images(seen, "frames"), "encoder", frozen(network, mean=(0.5,), size=(60, 60)))
    settings = replace(ALGORITHMS["ppo"].preset("latents"), **SHORT["ppo"])
    agent = darla.act(task(), "agent", ActConfig("ppo", 64, settings, snapshots=1), encoder=encoder)
    session = onnxruntime.InferenceSession(darla.export(agent, "agent.onnx"), providers=["CPUExecutionProvider"])
    for count in (1, 30):
        actions = session.run(["action"], {"observation": seen[:count]})[0]
        np.testing.assert_array_equal(actions, actions_of(agent, seen[:count]))
