"""The verbs of the command line: the one list of them, which `darla --help` can print without importing any stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darla.cli.command import Command


@dataclass(frozen=True)
class Verb:
    """One verb of the command line."""

    command: str
    """`MODULE:CLASS` of its command, in `darla.cli`."""
    help: str
    """One line about it; also the first line of the class's docstring."""

    def load(self) -> "type[Command]":
        """Import the class; this loads what the verb's stage is made of."""
        module, _, name = self.command.partition(":")
        command: type[Command] = getattr(import_module(f"darla.cli.{module}"), name)
        return command


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "check": Verb("commands:CheckCommand", "Check a task of your own before frames are collected"),
        "collect": Verb("commands:CollectCommand", "Collect images of a task's unlabeled domain, to train encoders"),
        "see": Verb("commands:SeeCommand", "Learn to see: train an encoder on collected frames, without labels"),
        "select": Verb("commands:SelectCommand", "Train several encoders, and rank them by how well they agree (UDR)"),
        "metrics": Verb("commands:MetricsCommand", "Score an encoder with the metric suite, where factors are known"),
        "explore": Verb(
            "viewing_commands:ExploreCommand", "Move an encoder's latents by sliders, on a page of this machine"
        ),
        "act": Verb("commands:ActCommand", "Learn to act: train a policy in a task's source domain"),
        "transfer": Verb("commands:TransferCommand", "Evaluate agents, unchanged, in the source and in every target"),
        "film": Verb("commands:FilmCommand", "Record the same episode in source and target, as a GIF or as MP4"),
        "report": Verb("commands:ReportCommand", "Write the results as one HTML page and as Markdown"),
        "push": Verb("sharing_commands:PushCommand", "Share a run on the Hugging Face hub, with a model card"),
        "export": Verb("exchange_commands:ExportCommand", "Write an agent as a zip for Stable-Baselines3, or as ONNX"),
        "import": Verb("exchange_commands:ImportCommand", "Make an agent of the weights in a zip of Stable-Baselines3"),
        "concepts train": Verb("concept_commands:ConceptsTrainCommand", "Learn concepts on top of an encoder (SCAN)"),
        "concepts imagine": Verb("concept_commands:ConceptsImagineCommand", "Write a sheet of images of a concept"),
        "concepts combine": Verb(
            "concept_commands:ConceptsCombineCommand",
            "Write sheets of two concepts, and of both with an operator",
        ),
        "concepts describe": Verb("concept_commands:ConceptsDescribeCommand", "Name what an image shows"),
        "concepts judge": Verb(
            "concept_commands:ConceptsJudgeCommand", "Train the classifier that judges imagined images"
        ),
        "concepts measure": Verb(
            "concept_commands:ConceptsMeasureCommand", "Measure accuracy and diversity of imagined images"
        ),
        "concepts act": Verb("concept_commands:ConceptsActCommand", "Train agents that follow instructions"),
        "concepts demo": Verb("concept_commands:ConceptsDemoCommand", "Train all of it small, and write one page"),
        "demo": Verb("study_commands:DemoCommand", "Run all stages for several methods, tasks and seeds"),
        "study run": Verb("study_commands:StudyRunCommand", "Run a study, on this machine or on a cluster"),
        "study status": Verb("study_commands:StudyStatusCommand", "Show the progress of a study, also while it runs"),
        "study watch": Verb(
            "study_commands:StudyWatchCommand", "Watch a running study: speeds, curves so far, time left"
        ),
        "study list": Verb("study_commands:StudyListCommand", "List the studies, with the time that each takes"),
        "doctor": Verb("commands:DoctorCommand", "Check whether this machine can run darla, and how fast"),
    }
)
"""By what follows `darla` on the command line, in the order of `darla --help`."""


def help_lines(start: str = "") -> str:
    """Return name and help of the verbs that begin with `start`, one on each line."""
    verbs = {name.removeprefix(start): verb for name, verb in VERBS.items() if name.startswith(start)}
    width = max(map(len, verbs))
    return "\n".join(f"  {name:<{width}}  {verb.help}" for name, verb in verbs.items())
