"""``snac-export``: a run's model as a folder for the Hub."""

from pathlib import Path

import click

from snac_common.artifacts import BEST_FOLDERS, Artifacts
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import artifacts_option
from snac_common.tool import Tool

EXAMPLE = """snac-export first --license mit --push USER/NAME --dry-run
snac-export artifacts/runs/first -o first --no-onnx
"""


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder to write. [default: ARTIFACTS/export/RUN]",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
@click.option(
    "--best",
    type=click.Choice(list(BEST_FOLDERS)),
    default="combined",
    help="The score by which the model is the run's best.",
)
@click.option(
    "--onnx/--no-onnx",
    default=True,
    help="Write encoder and decoders as ONNX too; needs snac-model[onnx].",
)
@click.option(
    "--page/--no-page",
    default=True,
    help="With ONNX, write try.html too: a page that runs the files in a browser.",
)
@click.option(
    "--noise",
    type=click.Choice(["input", "off"]),
    default="input",
    help="Of the ONNX decoders: inputs of the graph, or none.",
)
@click.option("--half", is_flag=True, help="Store the decoder's weights as float16.")
@click.option("--license", "licence", metavar="ID", help="For the card, as the Hub names it: mit.")
@click.option("--push", "repository", metavar="USER/NAME", help="Upload to the Hub.")
@click.option("--private", is_flag=True, help="With --push, create the repository private.")
@click.option("--dry-run", is_flag=True, help="With --push, only list what would be uploaded.")
@artifacts_option
def main(
    *,
    run: str,
    output: Path | None,
    overwrite: bool,
    best: str,
    onnx: bool,
    page: bool,
    noise: str,
    half: bool,
    licence: str | None,
    repository: str | None,
    private: bool,
    dry_run: bool,
    artifacts: Path | None,
) -> None:
    """Write the best model of RUN, a name or folder, as a folder for the Hub.

    It holds the codec as the official snac package loads it, a second head beside it in
    dual_head/, ONNX files in onnx/, each compared with torch, and a model card.
    """
    if (private or dry_run) and not repository:
        raise BadInput("--private and --dry-run go with --push USER/NAME")
    from snac_model.export.folder import ExportRequest, export
    from snac_model.export.push import check_repository, files_of, push
    from snac_model.export.run import read_run

    if repository:
        check_repository(repository)
    root = Artifacts.at(artifacts)
    source = read_run(run, root, best)
    folder = output or root.exported(source.name)
    request = ExportRequest(
        folder, overwrite, onnx, page, noise == "input", half, licence, repository
    )
    report = export(source, request)
    files = files_of(folder)
    url = None
    if dry_run:
        for name, size in files.items():
            note(f"would upload {name}, {size:,} bytes")
    elif repository:
        url = push(folder, repository, private=private)
    print_summary(
        output=str(folder),
        files=files,
        onnx_equal_tokens=report.equal_tokens if report else None,
        onnx_largest_error=report.largest_error if report else None,
        uploaded=url,
    )


if __name__ == "__main__":
    main()
