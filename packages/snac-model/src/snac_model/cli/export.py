"""``snac-export``: a run's model as a folder for the Hub."""

from collections.abc import Sequence
from pathlib import Path

import click

from snac_common.artifacts import BEST_FOLDERS, Artifacts
from snac_common.console import note, print_summary
from snac_common.errors import BadInput
from snac_common.options import Place, artifacts_option
from snac_common.tool import Tool

EXAMPLE = """snac-export first --license mit
snac-export first --push USER/NAME
snac-export refined --discriminators
snac-export --mix first=0.3,refined=0.7
"""

HOW_TO_EXPORT = ("onnx", "page", "noise", "half", "discriminators", "licence")


@click.command(cls=Tool, example=EXAMPLE)
@click.argument("run", required=False)
@click.option(
    "--mix",
    metavar="RUN=SHARE,...",
    help="In place of RUN, export the weighted mean of several runs' decoders, which started from "
    "one model. The shares add up to 1.",
)
@click.option(
    "-o",
    "--output",
    type=Place(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the export into this folder. [default: ARTIFACTS/export/RUN]",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is in the folder already.")
@click.option(
    "--best",
    type=click.Choice([name for name in BEST_FOLDERS if name != "last"]),
    default="combined",
    help="Export the model that was best by this validation score: of both outputs together, at "
    "24 kHz, at 48 kHz, or by mel spectra. Of a refined run, combined is the last one.",
)
@click.option(
    "--onnx/--no-onnx",
    default=True,
    help="Also write the encoder and the decoders as ONNX files, and compare each with torch.",
)
@click.option(
    "--page/--no-page",
    default=True,
    help="With ONNX, also write try.html, a page that runs the model, and its base, in a browser.",
)
@click.option(
    "--noise",
    type=click.Choice(["input", "off"]),
    default="input",
    help="Noise of the ONNX decoders: an input of each graph, or switched off.",
)
@click.option(
    "--half", is_flag=True, help="Store the decoder's weights as float16, which halves its size."
)
@click.option(
    "--discriminators",
    is_flag=True,
    help="Also export the discriminators of a run of --phase refine, so that others can go on "
    "with them.",
)
@click.option(
    "--license",
    "licence",
    metavar="ID",
    help="Licence of the model, as the Hub names it, such as mit. [default: left to be filled in]",
)
@click.option(
    "--push",
    "repository",
    metavar="USER/NAME",
    help="Upload the export to this repository on the Hub. An export that is in the folder already "
    "is uploaded as it is, unless --overwrite is given.",
)
@click.option(
    "--private",
    is_flag=True,
    help="With --push: if the repository does not exist, create it as a private one.",
)
@click.option(
    "--dry-run", is_flag=True, help="With --push: list what would be uploaded, and upload nothing."
)
@artifacts_option
def main(
    *,
    run: str | None,
    mix: str | None,
    output: Path | None,
    overwrite: bool,
    best: str,
    onnx: bool,
    page: bool,
    noise: str,
    half: bool,
    discriminators: bool,
    licence: str | None,
    repository: str | None,
    private: bool,
    dry_run: bool,
    artifacts: Path | None,
) -> None:
    """Write the best model of RUN as a folder that can be shared or uploaded to the Hub.

    RUN is the name or the folder of a run of snac-train. The folder holds the codec for the
    official snac package, the model with both outputs in dual_head/, ONNX files in onnx/, a page
    to try the model in a browser, and a model card. All of it is checked against the run's model.
    """
    if (private or dry_run) and not repository:
        raise BadInput("--private and --dry-run go with --push USER/NAME")
    if (run is None) == (mix is None):
        raise BadInput("name the RUN to export, or the runs to mix as --mix first=0.3,refined=0.7")
    if mix and discriminators:
        raise BadInput("--discriminators are those of one run: leave out --mix")
    from snac_model.export.existing import check_existing, is_export, name_repository
    from snac_model.export.folder import ExportRequest, export
    from snac_model.export.mix import parse_mix, read_mix
    from snac_model.export.push import check_repository, files_of, push
    from snac_model.export.run import read_run

    if repository:
        check_repository(repository)
    root = Artifacts.at(artifacts)
    mixed = None
    if mix:
        source, mixed = read_mix(parse_mix(mix), root, best)
    else:
        source = read_run(str(run), root, best)
    folder = output or root.exported(source.name)
    request = ExportRequest(
        folder, overwrite, onnx, page, noise == "input", half, discriminators, licence, repository
    )
    report = None
    if repository and is_export(folder) and not overwrite and not mixed:
        check_existing(source, folder, options_given(HOW_TO_EXPORT))
        if not dry_run:
            name_repository(folder, repository)
    else:
        report = export(source, request, mixed)
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


def options_given(names: Sequence[str]) -> list[str]:
    """Return those of some options of the command at work that its caller gave."""
    context = click.get_current_context()
    given = [
        name
        for name in names
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    spelt = {option.name: option.opts[0] for option in context.command.params}
    return [spelt[name] for name in given]


if __name__ == "__main__":
    main()
