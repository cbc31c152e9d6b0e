"""`overgrowth schema`: the wire contract, printed or written to the committed snapshots."""

from pathlib import Path

import click

import schemas
from agents.schema_documents import DOCUMENTS, rendered

SNAPSHOTS = Path(schemas.__file__).parent / "snapshots"


@click.command()
@click.argument("document", type=click.Choice(list(DOCUMENTS)), default="jsonschema")
@click.option("--write", is_flag=True, help="Write all documents to schemas/snapshots/ instead, as a change needs it.")
def schema(document: str, write: bool) -> None:
    """Print the wire contract: what others write to Overgrowth and read from it.

    `jsonschema` (the default) describes every shape, `asyncapi` the channels that carry them, `internal` what tables
    and packets between our own agents are made of.

    \b
    Example:
      overgrowth schema > shapes.json
      overgrowth schema asyncapi
      overgrowth schema --write
    """
    if not write:
        click.echo(rendered(DOCUMENTS[document]()), nl=False)
        return
    for name, make in DOCUMENTS.items():
        path = SNAPSHOTS / f"{name}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_text(rendered(make()), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(
                f"{path}: expected to write a snapshot, got: {error.strerror}; run this in a checkout"
            ) from None
        click.echo(f"wrote {path}")
