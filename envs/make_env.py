"""Make the environment of a domain."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from darla.common import DarlaError, InputError, unknown_name, user_code_error
from darla.common.errors import is_fault_of_user
from darla.common.graphics import prepare_renderer
from darla.common.registry import import_module_of
from darla.envs.apply_setup import apply_setup, live
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.guarded import GuardedEnv
from darla.envs.registration import register


class ContextEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that plays contexts of a domain; the seed of an episode decides which.

    A context in the options of `reset` is played instead. Nothing is drawn for it then, so that one seed gives one
    state in all given contexts.

    Args:
        env: takes a context in the options of its `reset`.
        domain: what contexts are drawn from.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], domain: Domain) -> None:
        super().__init__(env)
        self.domain = domain
        self._rng, _ = gymnasium.utils.seeding.np_random(None)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draw a context, then reset the environment with a seed drawn after it.

        Args:
            seed: of the context and the episode.
            options: passed on, with the `context` to play.

        Raises:
            InputError: a given context has unknown factors or values.
        """
        if seed is not None:
            self._rng, _ = gymnasium.utils.seeding.np_random(seed)
        given = (options or {}).get("context")
        component = self.domain.sample_component(self._rng) if given is None else {}
        episode_seed = int(self._rng.integers(np.iinfo(np.int32).max))
        if given is None:
            # A generator of its own: ranges and choices draw more or fewer numbers, and the state must not change.
            context = self.domain.sample_within(component, np.random.default_rng([episode_seed, 1]))
        else:
            context = self.domain.world.space.context(given)
        observation, info = self.env.reset(seed=episode_seed, options={**(options or {}), "context": context.to_dict()})
        return observation, {**info, "context": context.to_dict()}


class Variants(gymnasium.Env[Any, Any]):
    """Several variants of one environment behind one interface: the seed of an episode decides which is played."""

    def __init__(self, domain: EnvDomain, **kwargs: Any) -> None:
        self._domain, self._kwargs = domain, kwargs
        self._columns = domain.columns()
        self._envs: dict[int, gymnasium.Env[Any, Any]] = {}
        self._current = self._variant(0)
        self.observation_space, self.action_space = self._current.observation_space, self._current.action_space
        self.render_mode = self._current.render_mode
        self.metadata = self._current.metadata

    def _variant(self, index: int) -> gymnasium.Env[Any, Any]:
        if index not in self._envs:
            env = self._make(index)
            if self._envs and (env.observation_space, env.action_space) != (
                self.observation_space,
                self.action_space,
            ):
                raise InputError(f"the variants of domain {self._domain.name!r} differ in observation or action space")
            self._envs[index] = env
        return self._envs[index]

    def _make(self, index: int) -> gymnasium.Env[Any, Any]:
        domain = self._domain
        keywords, setup = domain.variant(index)
        who = f"environment {domain.env_id!r}"
        env_class = _imported(domain.env_id, who, domain.folder)
        arguments = {**live(keywords, domain.folder), **self._kwargs}
        env = _gym_make(domain.env_id, arguments, make=env_class)
        try:
            return apply_setup(env, setup, domain.folder, who)
        except BaseException:
            env.close()
            raise

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Draw the variant, then reset it with a seed drawn after that."""
        super().reset(seed=seed)
        index = int(self.np_random.integers(len(self._domain.variants)))
        inner = int(self.np_random.integers(np.iinfo(np.int32).max))
        self._current = self._variant(index)
        observation, info = self._current.reset(seed=inner, options=options)
        context = {name: values[index] for name, values in self._columns.items()}
        return observation, {**info, "context": context, "variant": index}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the variant that is being played."""
        return self._current.step(action)

    @property
    def playing(self) -> gymnasium.Env[Any, Any]:
        """The variant that is being played."""
        return self._current

    @property
    def starts_anywhere(self) -> bool:
        """Whether episodes start anywhere where `reset(options={"start": "anywhere"})` asks for it."""
        return bool(getattr(self._current.unwrapped, "starts_anywhere", False))

    def render(self) -> Any:
        """Render the variant that is being played."""
        return self._current.render()

    def close(self) -> None:
        """Close every variant that was opened."""
        for env in self._envs.values():
            env.close()


def _imported(env_id: str, who: str, folder: str) -> Callable[..., gymnasium.Env[Any, Any]] | None:
    """Import the module of an id; return the class of the environment where the id names one, `module:Class`."""
    prepare_renderer()  # before the module is imported, which may import MiniWorld
    module_name, colon, name = env_id.partition(":")
    if not colon:
        if env_id.startswith("MiniWorld-"):
            import_module_of("miniworld", who)
        return None
    module = import_module_of(module_name, who, folder)
    if name in gymnasium.registry or not callable(getattr(module, name, None)):
        _check_known(module, module_name, name)
        return None
    env_class: Callable[..., gymnasium.Env[Any, Any]] = getattr(module, name)
    return env_class


def _check_known(module: Any, module_name: str, name: str) -> None:
    """Refuse a name that a module neither defines nor registers, where it has others.

    Raises:
        InputError: with the closest of its environments.
    """
    own = {spec.id for spec in gymnasium.registry.values() if str(spec.entry_point).startswith(f"{module_name}:")}
    defined = {
        key for key, thing in vars(module).items() if isinstance(thing, type) and issubclass(thing, gymnasium.Env)
    }
    without_version = {each.rpartition("-v")[0] for each in gymnasium.registry}
    if (own or defined) and name not in gymnasium.registry and name not in without_version:
        raise unknown_name(f"environment of {module_name}:", name, {*own, *defined})


def _gym_make(
    env_id: str, kwargs: Mapping[str, Any], requires: str = "", make: Callable[..., Any] | None = None
) -> gymnasium.Env[Any, Any]:
    register()
    prepare_renderer()  # any environment may open one: a MiniWorld of the user's own, for instance
    try:
        env = make(**kwargs) if make else gymnasium.make(env_id, **kwargs)
    except gymnasium.error.Error as error:
        module, dot, name = env_id.rpartition(".")
        hint = (
            f" A class of a module is named module:Class, here {module}:{name}." if dot and name.isidentifier() else ""
        )
        raise InputError(f"environment {env_id!r} cannot be made: {str(error).splitlines()[0]}{hint}") from error
    except DarlaError:
        raise
    except (Exception, SystemExit) as error:
        raise _not_made(env_id, kwargs, requires, error) from error
    if not isinstance(env, gymnasium.Env):
        raise InputError(
            f"environment {env_id!r} is a {type(env).__name__}, but one of Gymnasium is needed (gymnasium.Env)"
        )
    return GuardedEnv(env, f"environment {env_id!r}")


def _not_made(env_id: str, kwargs: Mapping[str, Any], requires: str, error: BaseException) -> BaseException:
    """Return the error for an environment that Gymnasium could not make."""
    # Gymnasium raises some errors again, with a text of its own.
    cause = error.__cause__ if isinstance(error, ImportError | TypeError) and error.__cause__ else error
    if isinstance(cause, ModuleNotFoundError):
        install = f"; install it with: pip install '{requires}'" if requires else ", which cannot be imported"
        return InputError(f"environment {env_id!r} needs {cause.name}{install}")
    if isinstance(cause, TypeError) and not is_fault_of_user(cause, in_ours=True):
        return InputError(f"environment {env_id!r} does not take {dict(kwargs)!r}: {cause}")
    if not is_fault_of_user(cause, in_ours=env_id.startswith("darla/")):
        return cause
    return user_code_error(f"environment {env_id!r} could not be made", cause)


def make(domain: AnyDomain, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """Make the environment of a domain.

    Args:
        domain: of a world, or of any environment.
        **kwargs: passed on to the environment.

    Raises:
        InputError: Gymnasium does not know the environment, it refuses the arguments, or it does not show images of
            uint8 (height, width, channels).
    """
    if isinstance(domain, EnvDomain):
        env: gymnasium.Env[Any, Any] = Variants(domain, **kwargs)
    elif domain.world.accepts == "domain":
        env = _gym_make(domain.world.env_id, {"domain": domain, **kwargs}, domain.world.requires)
    else:
        env = ContextEnv(_gym_make(domain.world.env_id, kwargs, domain.world.requires), domain)
    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        env.close()
        raise InputError(
            f"domain {domain.name!r} shows {space}, but images are needed: uint8, height x width x channels"
        )
    return GuardedEnv(env, f"domain {domain.name!r}")
