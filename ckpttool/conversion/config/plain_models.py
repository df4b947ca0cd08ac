"""Models of own classes whose configs list their layers, written as Functional or Sequential ones."""

from typing import Any

from ckpttool.conversion.journal import Edit, Journal
from ckpttool.model.arguments import Args
from ckpttool.model.class_names import class_of_model
from ckpttool.model.generations.generation import Generation
from ckpttool.model.generations.normalization import normalized

PLAIN_MODEL = Edit(
    "plain-model",
    "writes a model of an own class, whose config lists its layers, as a Functional or Sequential one",
    "where the class computes its outputs by these layers alone",
)
EDITS = (PLAIN_MODEL,)


def plain(args: Args, generation: Generation, journal: Journal) -> dict[str, Any]:
    """The entry of a model of an own class that lists its layers. The layers are normalized here."""
    class_name = class_of_model("output_layers" not in args.config)
    journal.edit(PLAIN_MODEL, args.name, f"{args.class_name} as {class_name}")
    journal.lose(args.name, f"what the class {args.class_name} adds to a {class_name} model")
    return dict(normalized({"class_name": class_name, "config": args.config}, generation))
